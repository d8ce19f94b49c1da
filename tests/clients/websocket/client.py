"""Holds sessions over WebSocket, with the `websockets` library alone or through the official OpenAI SDK, and checks every answer.

Usage: client.py API --url wss://HOST:PORT --compression none|takeover|fresh|small [--sdk] [--sessions N] [--turns N]
"""

import argparse
import asyncio
import json

from websockets.asyncio.client import connect
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

parser = argparse.ArgumentParser()
parser.add_argument("api", choices=["realtime", "responses"])
parser.add_argument("--url", required=True)
parser.add_argument("--compression", choices=["none", "takeover", "fresh", "small"], default="takeover")
parser.add_argument("--sdk", action="store_true")
parser.add_argument("--sessions", type=int, default=1)
parser.add_argument("--turns", type=int, default=3)
options = parser.parse_args()

QUESTION = "why is the sky blue? äöü 日本 " * 40


def extensions():
    if options.compression == "fresh":
        return [ClientPerMessageDeflateFactory(server_no_context_takeover=True, client_no_context_takeover=True)]
    if options.compression == "small":
        return [ClientPerMessageDeflateFactory(server_max_window_bits=9, client_max_window_bits=9)]
    return None


def create(turn):
    if options.api == "realtime":
        return {"type": "response.create", "response": {"instructions": f"{turn}: be brief"}}
    return {"type": "response.create", "model": "gpt-5-mini", "input": QUESTION, "stream": True}


async def answer(receive):
    """Takes messages up to the end of a response."""
    while True:
        kind = (await receive())["type"]
        assert kind != "error", kind
        if kind in ("response.done", "response.completed"):
            return


async def session(number):
    path = "/v1/realtime?model=gpt-realtime" if options.api == "realtime" else "/v1/responses"
    compression = None if options.compression == "none" else "deflate"
    headers = {"Authorization": "Bearer sk-test-secret"}
    async with connect(options.url + path, additional_headers=headers, compression=compression, extensions=extensions(),
                       max_size=None) as socket:
        async def receive():
            return json.loads(await socket.recv())

        if options.api == "realtime":
            await socket.send(json.dumps({"type": "session.update", "session": {"type": "realtime"}}))
        for turn in range(options.turns):
            if options.api == "realtime":
                item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": QUESTION}]}
                await socket.send(json.dumps({"type": "conversation.item.create", "item": item}))
            await socket.send(json.dumps(create(turn)))
            await answer(receive)


async def sdk(number):
    import openai

    client = openai.AsyncOpenAI(api_key="sk-test-secret", base_url=options.url.replace("wss:", "https:") + "/v1")
    async with client.realtime.connect(model="gpt-realtime") as connection:
        async def receive():
            return (await connection.recv()).model_dump()

        for turn in range(options.turns):
            item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": QUESTION}]}
            await connection.conversation.item.create(item=item)
            await connection.response.create(response={"instructions": f"{turn}: be brief"})
            await answer(receive)


async def main():
    await asyncio.gather(*(sdk(number) if options.sdk else session(number) for number in range(options.sessions)))


asyncio.run(main())
