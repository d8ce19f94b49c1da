"""Chat completions over HTTP/2 with httpx, all on one connection, half of them streamed.

Usage: python http2.py URL CALLS [FILE]
With FILE, calls are made one after the other until FILE exists, then CALLS at once.
"""

import asyncio
import json
import os
import ssl
import sys

import httpx

url, calls = sys.argv[1], int(sys.argv[2])
wait = sys.argv[3] if len(sys.argv) > 3 else None
ports = set()


async def call(client, number):
    stream = number % 2 == 0
    body = {"model": "gpt-4o-mini", "stream": stream, "messages": [{"role": "user", "content": f"httpx {number}: {'äöü 日本 ' * number}"}]}
    if stream:
        body["stream_options"] = {"include_usage": True}
    async with client.stream("POST", f"{url}/v1/chat/completions", json=body) as response:
        text = "".join([piece async for piece in response.aiter_text()])
        assert response.status_code == 200 and response.http_version == "HTTP/2", response
        assert ("[DONE]" in text) == stream and len(text) > 100, text
        ports.add(response.extensions["network_stream"].get_extra_info("client_addr"))


async def main():
    context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    limits = httpx.Limits(max_connections=1)
    async with httpx.AsyncClient(http2=True, http1=False, verify=context, limits=limits, timeout=120) as client:
        before = 0
        while wait and not (before and os.path.exists(wait)):
            await call(client, before)
            before += 1
            print(f"call {before}", flush=True)
            await asyncio.sleep(0.05)
        await asyncio.gather(*(call(client, number) for number in range(calls)))
    print(json.dumps({"ok": calls, "before": before, "connections": len(ports)}), flush=True)


asyncio.run(main())
