"""Calls without an end until a file appears, then prints how many calls succeeded and failed, and the longest in seconds.

Usage: load.py URL STOP_FILE CONCURRENCY. Every call has a bound in time; one that stalls has failed.
"""

import asyncio
import json
import os
import sys
import time

import httpx
import openai

url, stop, concurrency = sys.argv[1], sys.argv[2], int(sys.argv[3])
results = {"ok": 0, "failed": 0, "longest": 0.0}


async def worker(client, name):
    number = 0
    while not os.path.exists(stop):
        number += 1
        begun = time.monotonic()
        try:
            stream = await client.chat.completions.create(
                model="gpt-4o-mini", messages=[{"role": "user", "content": f"load {name} {number}"}],
                stream=True, stream_options={"include_usage": True})
            usage = None
            async for chunk in stream:
                usage = chunk.usage or usage
            if usage is None:
                raise ValueError("the stream ended early")
            results["ok"] += 1
        except Exception as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            results["failed"] += 1
        results["longest"] = max(results["longest"], time.monotonic() - begun)
        if number == 1:
            print("working", flush=True)


async def main():
    limits = httpx.Limits(max_connections=concurrency)
    client = openai.AsyncOpenAI(api_key="sk-test-secret", base_url=url + "/v1", max_retries=0, timeout=30,
                                http_client=httpx.AsyncClient(limits=limits))
    await asyncio.gather(*(worker(client, name) for name in range(concurrency)))


asyncio.run(main())
print(json.dumps(results), flush=True)
sys.exit(0 if results["failed"] == 0 else 1)
