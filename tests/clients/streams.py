"""Opens many connections with one call each, and keeps them open until killed.

Usage: streams.py HOST PORT PATH CONNECTIONS GO_FILE. Says `ready`, waits for the file, says `open` when each has its first bytes.
"""

import asyncio
import json
import os
import ssl
import sys

host, port, path, connections, go = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), sys.argv[5]
stream = "gap=" in path
body = json.dumps({"model": "gpt-4o-mini", "stream": stream, "stream_options": {"include_usage": True},
                   "messages": [{"role": "user", "content": "hold the line " * 20}]}).encode()
head = (f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n").encode()
context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
first = asyncio.Queue()


async def one(gate):
    async with gate:
        reader, writer = await asyncio.open_connection(host, port, ssl=context, limit=4096)
        writer.write(head)
        writer.write(body)
        await writer.drain()
        await reader.read(4096)
    await first.put(None)
    while await reader.read(4096):
        pass
    await asyncio.sleep(3600)


async def main():
    print("ready", flush=True)
    while not os.path.exists(go):
        await asyncio.sleep(0.02)
    gate = asyncio.Semaphore(50)
    tasks = [asyncio.create_task(one(gate)) for _ in range(connections)]
    for _ in range(connections):
        await first.get()
    print("open", flush=True)
    if tasks:
        await asyncio.gather(*tasks)
    await asyncio.sleep(3600)


asyncio.run(main())
