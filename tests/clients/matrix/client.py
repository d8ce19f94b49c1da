"""One client of the matrix in Python: requests, httpx, httpx-async, aiohttp, openai, anthropic.

Usage: client.py KIND URL CALLS CONCURRENT SIZE [FIRST]
Makes CALLS calls of the API at URL, CONCURRENT at a time, with prompts of SIZE bytes; every second one is streamed. FIRST is called once
before them, by the same client object. Prints `ok CALLS`.
"""

import asyncio
import json
import os
import ssl
import sys
from concurrent.futures import ThreadPoolExecutor

kind, url, calls, concurrent, size = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
first = sys.argv[6] if len(sys.argv) > 6 else None
headers = {"content-type": "application/json", "authorization": "Bearer sk-test-secret"}
tls = None if url.startswith("http:") else ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])


def request(number):
    text = f"{kind} {number} äöü " + "x" * size
    body = {"model": "gpt-4o-mini", "max_tokens": 1000, "messages": [{"role": "user", "content": text}]}
    if number % 2:
        body["stream"] = True
    return body


def check(status, text, number):
    if status != 200 or (number % 2 and "[DONE]" not in text):
        raise ValueError(f"{status}: {text[:200]}")


def threads(call):
    if first:
        call(first, 0)
    with ThreadPoolExecutor(concurrent) as pool:
        list(pool.map(lambda number: call(url, number), range(calls)))


async def tasks(call):
    if first:
        await call(first, 0)
    limit = asyncio.Semaphore(concurrent)

    async def one(number):
        async with limit:
            await call(url, number)

    await asyncio.gather(*(one(number) for number in range(calls)))


def with_requests():
    import requests
    session = requests.Session()
    session.headers.update(headers)

    def call(url, number):
        answer = session.post(url, data=json.dumps(request(number)), timeout=120)
        check(answer.status_code, answer.content.decode(), number)

    threads(call)


def with_httpx():
    import httpx
    client = httpx.Client(verify=tls or True, timeout=120, headers=headers)

    def call(url, number):
        with client.stream("POST", url, json=request(number)) as answer:
            check(answer.status_code, answer.read().decode(), number)

    threads(call)


async def with_httpx_async():
    import httpx
    async with httpx.AsyncClient(verify=tls or True, timeout=120, headers=headers) as client:
        async def call(url, number):
            async with client.stream("POST", url, json=request(number)) as answer:
                check(answer.status_code, (await answer.aread()).decode(), number)

        await tasks(call)


async def with_aiohttp():
    import aiohttp
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls or True), headers=headers) as session:
        async def call(url, number):
            async with session.post(url, data=json.dumps(request(number))) as answer:
                check(answer.status, (await answer.read()).decode(), number)

        await tasks(call)


async def with_openai():
    import openai
    clients = {}

    async def call(url, number):
        base = url.removesuffix("/chat/completions")
        client = clients.setdefault(base, openai.AsyncOpenAI(api_key="sk-test-secret", base_url=base, max_retries=0, timeout=120))
        answer = await client.chat.completions.create(**request(number))
        if number % 2:
            pieces = [chunk async for chunk in answer]
            if not pieces[-1].choices[0].finish_reason:
                raise ValueError(pieces[-1])
        elif answer.usage.total_tokens <= 0:
            raise ValueError(answer)

    await tasks(call)


async def with_anthropic():
    import anthropic
    clients = {}

    async def call(url, number):
        base = url.removesuffix("/v1/messages")
        client = clients.setdefault(base, anthropic.AsyncAnthropic(api_key="sk-test-secret", base_url=base, max_retries=0, timeout=120))
        answer = await client.messages.create(**request(number))
        if number % 2:
            pieces = [event async for event in answer]
            if pieces[-1].type != "message_stop":
                raise ValueError(pieces[-1])
        elif answer.usage.output_tokens <= 0:
            raise ValueError(answer)

    await tasks(call)


run = globals()["with_" + kind.replace("-", "_")]
if asyncio.iscoroutinefunction(run):
    asyncio.run(run())
else:
    run()
print(f"ok {calls}", flush=True)
