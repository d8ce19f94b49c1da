"""An MCP session between two processes over TLS, with the official SDK: server and client are this file.

mcp_session.py MODE --certificate FILE --key FILE --authority FILE --told FILE

MODE: `modern` (2026-07-28), `legacy` (streamable HTTP with a session), `sse` (HTTP+SSE of 2024-11-05). Writes what the client did to
a file, one JSON text a line, so that the test knows what to expect without knowing the SDK.
"""

import argparse
import asyncio
import json
import logging
import socket
import ssl
import subprocess
import sys
import warnings

import httpx2
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.mcpserver import Context, MCPServer
from mcp.types import ElicitResult
from pydantic import BaseModel

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)


class Answer(BaseModel):
    colour: str


def server():
    mcp = MCPServer("paint", version="7")

    @mcp.tool()
    def add(a: int, b: int) -> int:
        return a + b

    @mcp.tool()
    def fail() -> str:
        raise RuntimeError("out of paint")

    @mcp.tool()
    async def ask(context: Context) -> str:
        answer = await context.elicit("Which colour?", Answer)
        return answer.data.colour if answer.action == "accept" else answer.action

    @mcp.prompt()
    def mix(first: str) -> str:
        return f"Mix {first}"

    @mcp.resource("paint://stock")
    def stock() -> str:
        return "red"

    return mcp


def serve(options):
    import uvicorn

    app = server().sse_app() if options.mode == "sse" else server().streamable_http_app()
    config = uvicorn.Config(
        app, host="127.0.0.1", port=options.port, ssl_certfile=options.certificate, ssl_keyfile=options.key,
        log_level="error", timeout_graceful_shutdown=1,
    )
    uvicorn.Server(config).run()


async def elicited(_context, _request):
    return ElicitResult(action="accept", content={"colour": "blue"})


async def converse(options):
    context = ssl.create_default_context(cafile=options.authority)
    file = open(options.told, "w")

    def told(name, **facts):
        file.write(json.dumps({"name": name, **facts}) + "\n")
        file.flush()

    base = f"https://localhost:{options.port}"

    def make(headers=None, timeout=None, auth=None, **_):
        return httpx2.AsyncClient(verify=context, headers=headers, timeout=timeout or 30, auth=auth)

    if options.mode == "sse":
        transport = sse_client(f"{base}/sse", httpx_client_factory=make)
    else:
        transport = streamable_http_client(f"{base}/mcp", http_client=make())
    mode = "2026-07-28" if options.mode == "modern" else "legacy"
    async with Client(transport, mode=mode, elicitation_callback=elicited, cache=None) as client:
        if options.mode != "modern":
            told("initialize")
        tools = await client.list_tools()
        told("tools/list", tools=[tool.name for tool in tools.tools])
        result = await client.call_tool("add", {"a": 2, "b": 40})
        told("tools/call add", said=result.content[0].text)
        result = await client.call_tool("fail", {})
        told("tools/call fail", error="tool_error")
        if options.mode != "modern":
            result = await client.call_tool("ask", {})
            told("tools/call ask", said=result.content[0].text)
            told("elicitation/create", asked=True)
        await client.get_prompt("mix", {"first": "red"})
        told("prompts/get mix")
        await client.read_resource("paint://stock")
        told("resources/read")


def reachable(port):
    try:
        socket.create_connection(("127.0.0.1", port), 0.2).close()
        return True
    except OSError:
        return False


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("mode", choices=["modern", "legacy", "sse"])
    arguments.add_argument("--certificate")
    arguments.add_argument("--key")
    arguments.add_argument("--authority")
    arguments.add_argument("--told")
    arguments.add_argument("--port", type=int)
    options = arguments.parse_args()
    if options.port is not None:
        serve(options)
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        options.port = free.getsockname()[1]
    child = subprocess.Popen([sys.executable, *sys.argv, "--port", str(options.port)])
    try:
        for _ in range(600):
            if reachable(options.port) or child.poll() is not None:
                break
            asyncio.run(asyncio.sleep(0.05))
        asyncio.run(converse(options))
    finally:
        child.terminate()
        child.wait()


main()
