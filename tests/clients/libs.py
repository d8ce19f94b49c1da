"""Calls an LLM API through HTTP libraries without an SDK: requests, httpx, aiohttp, and the standard library.

Usage: libs.py URL CALLS. Each library makes that many calls, every second one streamed.
"""

import asyncio
import json
import os
import ssl
import sys
import urllib.request

import aiohttp
import httpx
import requests

url, calls = sys.argv[1] + "/v1/chat/completions", int(sys.argv[2])
context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
done = 0


def body(library, number):
    wanted = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": f"{library} {number}: äöü 日本"}]}
    if number % 2:
        wanted.update(stream=True, stream_options={"include_usage": True})
    return wanted


def check(answer):
    global done
    if not (answer.rstrip().endswith("[DONE]") or json.loads(answer)["usage"]["total_tokens"] > 0):
        raise ValueError(answer)
    done += 1


def with_requests():
    with requests.Session() as session:
        for number in range(calls):
            answer = session.post(url, json=body("requests", number), timeout=60)
            answer.encoding = "utf-8"
            check(answer.text)


def with_httpx():
    with httpx.Client(verify=context, timeout=60) as client:
        for number in range(calls):
            with client.stream("POST", url, json=body("httpx", number)) as answer:
                check("".join(answer.iter_text()))


async def with_aiohttp():
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
        async def one(number):
            async with session.post(url, json=body("aiohttp", number)) as answer:
                check(await answer.text(encoding="utf-8"))

        await asyncio.gather(*(one(number) for number in range(calls)))


def with_urllib():
    for number in range(calls):
        request = urllib.request.Request(url, json.dumps(body("urllib", number)).encode(), {"content-type": "application/json"})
        with urllib.request.urlopen(request, context=context, timeout=60) as answer:
            check(answer.read().decode())


with_requests()
with_httpx()
asyncio.run(with_aiohttp())
with_urllib()
print(json.dumps({"ok": done, "failed": 0}), flush=True)
