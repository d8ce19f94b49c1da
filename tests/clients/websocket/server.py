"""A provider over WebSocket on loopback, over TLS: OpenAI Realtime and the Responses API over a WebSocket, answered by a script.

Usage: server.py CERTIFICATE KEY. Prints its port as {"port": N}, then one JSON line for each message that it takes or sends, and for each
response what a span of it must say. Compression is as the client offers it.
"""

import asyncio
import base64
import json
import ssl
import sys
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import serve

connections = 0
answers = 0


def say(**line):
    print(json.dumps(line, ensure_ascii=False), flush=True)


class Peer:
    """One connection; every message is written down."""

    def __init__(self, socket, number):
        self.socket, self.number = socket, number

    async def send(self, fragments=1, **message):
        text = json.dumps(message, ensure_ascii=False)
        say(connection=self.number, sender="server", text=text)
        size = len(text) // fragments + 1
        await self.socket.send([text[at:at + size] for at in range(0, len(text), size)] if fragments > 1 else text)

    async def messages(self):
        async for text in self.socket:
            say(connection=self.number, sender="client", text=text)
            yield json.loads(text)


def usage(number):
    return {"input_tokens": 100 + number, "output_tokens": 10 + number, "total_tokens": 110 + 2 * number}


def tell(number, identifier, model, finish):
    say(facts={"operation": "chat", "model": model, "id": identifier, "input": 100 + number, "output": 10 + number,
               "finish": finish, "stream": True})


async def realtime(peer, model):
    """One response for each `response.create`: text, a tool call, or sound."""
    global answers
    session = {"id": f"sess_{peer.number}", "object": "realtime.session", "type": "realtime", "model": model,
               "output_modalities": ["audio"], "tools": [{"type": "function", "name": "lookup"}]}
    await peer.send(type="session.created", session=session)
    async for message in peer.messages():
        if message["type"] == "session.update":
            await peer.send(type="session.updated", session=session)
        elif message["type"] == "conversation.item.create":
            await peer.send(type="conversation.item.added", item=message["item"])
        elif message["type"] == "response.create":
            answers += 1
            number, identifier = answers, f"resp_rt_{answers}"
            await peer.send(type="response.created", response={"object": "realtime.response", "id": identifier,
                                                               "status": "in_progress", "output": []})
            await peer.socket.ping()
            finish = "stop"
            if number % 3 == 1:
                item = {"id": f"item_{number}", "type": "message", "role": "assistant",
                        "content": [{"type": "output_text", "text": "äöü 日本 blue"}]}
                for piece in ["äöü ", "日本 ", "blue"]:
                    await peer.send(type="response.output_text.delta", response_id=identifier, delta=piece)
            elif number % 3 == 2:
                finish = "tool_calls"
                item = {"id": f"item_{number}", "type": "function_call", "call_id": f"call_{number}", "name": "lookup",
                        "arguments": "{\"query\":\"sky\"}"}
                await peer.send(fragments=4, type="response.function_call_arguments.done", response_id=identifier,
                                call_id=item["call_id"], name="lookup", arguments=item["arguments"])
            else:
                item = {"id": f"item_{number}", "type": "message", "role": "assistant",
                        "content": [{"type": "output_audio", "transcript": "blue"}]}
                # More than 64 KiB, so that the length of its frame takes eight bytes.
                sound = base64.b64encode(bytes(at * number % 251 for at in range(90_000))).decode()
                for _ in range(3):
                    await peer.send(type="response.output_audio.delta", response_id=identifier, delta=sound)
            details = usage(number) | {"input_token_details": {"cached_tokens": 0, "text_tokens": 100 + number},
                                       "output_token_details": {"text_tokens": 10 + number}}
            tell(number, identifier, model, finish)
            await peer.send(type="response.done", response={"object": "realtime.response", "id": identifier, "status": "completed",
                                                            "conversation_id": f"conv_{peer.number}", "output": [item],
                                                            "usage": details})


async def responses(peer):
    """The stream of the Responses API, one message an event."""
    global answers
    async for message in peer.messages():
        if message["type"] != "response.create":
            continue
        answers += 1
        number, identifier, model = answers, f"resp_ws_{answers}", message["model"]
        response = {"object": "response", "id": identifier, "model": model, "status": "in_progress", "output": []}
        await peer.send(type="response.created", sequence_number=0, response=response)
        text = "x".join(str(at) for at in range(2_000))
        for at in range(5):
            await peer.send(fragments=1 + at % 2, type="response.output_text.delta", sequence_number=1 + at, delta=text)
        item = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}
        tell(number, identifier, model, "stop")
        await peer.send(type="response.completed", sequence_number=9,
                        response=response | {"status": "completed", "output": [item], "usage": usage(number)})


async def handle(socket):
    global connections
    connections += 1
    peer = Peer(socket, connections)
    target = urlsplit(socket.request.path)
    say(connection=peer.number, extensions=socket.response.headers.get("Sec-WebSocket-Extensions", ""))
    if target.path.endswith("/realtime"):
        await realtime(peer, parse_qs(target.query)["model"][0])
    else:
        await responses(peer)


async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    async with serve(handle, "127.0.0.1", 0, ssl=context, max_size=None) as server:
        say(port=server.sockets[0].getsockname()[1])
        await asyncio.get_running_loop().create_future()


asyncio.run(main())
