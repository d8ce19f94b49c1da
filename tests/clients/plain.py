"""A server and its clients in one tree of processes, with what sockets offer: forked workers, peeking, reused descriptors, IPv6, TLS.

Prints one JSON line: how many answers came, and how many bytes of bodies. With --wait the client prints `ready` after its first request
and goes on asking, over the same connection, until the file is there.
"""

import argparse
import asyncio
import ctypes
import http.client
import json
import os
import signal
import socket
import ssl
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--host", default="127.0.0.1")
parser.add_argument("--workers", type=int, default=1)
parser.add_argument("--tls", nargs=2, metavar=("CERTIFICATE", "KEY"))
parser.add_argument("--asyncio", action="store_true")
parser.add_argument("--requests", type=int, default=1, help="of one connection")
parser.add_argument("--connections", type=int, default=1)
parser.add_argument("--peek", action="store_true", help="looks at each answer before it reads it")
parser.add_argument("--bytes", type=int, default=10, help="of a prompt")
parser.add_argument("--stream", action="store_true")
parser.add_argument("--wait", metavar="FILE")
parser.add_argument("--ring", action="store_true", help="sets up io_uring")
options = parser.parse_args()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
        if not body.get("stream"):
            text = json.dumps({"id": "c1", "object": "chat.completion", "model": "local", "usage": usage, "choices": [
                {"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}]}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for number in range(20):
            last = number == 19
            event = {"id": "c1", "object": "chat.completion.chunk", "model": "local", "choices": [
                {"index": 0, "delta": {"content": "hello "}, "finish_reason": "stop" if last else None}]}
            if last:
                event["usage"] = usage
            self.chunk(b"data: " + json.dumps(event).encode() + b"\n\n")
        self.chunk(b"data: [DONE]\n\n")
        self.chunk(b"")

    def chunk(self, data):
        self.wfile.write(b"%x\r\n" % len(data) + data + b"\r\n")


class Server(ThreadingHTTPServer):
    address_family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    daemon_threads = True
    request_queue_size = 128


def serve():
    """Workers accept on a socket that they have inherited."""
    server = Server((options.host, options.port), Handler)
    if options.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*options.tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    workers = []
    for _ in range(options.workers):
        pid = os.fork()
        if pid == 0:
            server.serve_forever()
            os._exit(0)
        workers.append(pid)
    server.socket.close()
    return workers


body = json.dumps({"model": "local", "stream": options.stream,
                   "messages": [{"role": "user", "content": "x" * options.bytes}]}).encode()
context = ssl._create_unverified_context() if options.tls else None
result = {"answers": 0, "bytes": 0}


def connect():
    if options.tls:
        return http.client.HTTPSConnection(options.host, options.port, context=context)
    return http.client.HTTPConnection(options.host, options.port)


def ask(connection):
    connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
    if options.peek:
        for length in (1, 100):
            connection.sock.recv(length, socket.MSG_PEEK)
    answer = connection.getresponse().read()
    result["answers"] += 1
    result["bytes"] += len(answer)


async def ask_async():
    reader, writer = await asyncio.open_connection(options.host, options.port, ssl=context)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: local\r\ncontent-type: application/json\r\n" \
           f"content-length: {len(body)}\r\n\r\n"
    for _ in range(options.requests):
        writer.write(head.encode())
        writer.write(body)
        answer = await reader.readuntil(b"\r\n\r\n")
        fields = dict(line.split(b": ", 1) for line in answer.lower().split(b"\r\n") if b": " in line)
        length = int(fields[b"content-length"])
        await reader.readexactly(length)
        result["answers"] += 1
        result["bytes"] += length
    writer.close()


async def all_async():
    await asyncio.gather(*(ask_async() for _ in range(options.connections)))


workers = serve()
try:
    if options.ring:
        # io_uring_setup(2) has this number on every architecture.
        parameters = ctypes.create_string_buffer(120)
        ctypes.CDLL(None).syscall(425, 4, parameters)
    if options.asyncio:
        asyncio.run(all_async())
    else:
        for number in range(options.connections):
            connection = connect()
            for turn in range(options.requests):
                if turn == 1 and options.wait:
                    print("ready", flush=True)
                    while not os.path.exists(options.wait):
                        ask(connection)
                        time.sleep(0.02)
                ask(connection)
            connection.close()
finally:
    for worker in workers:
        os.kill(worker, signal.SIGTERM)
        os.waitpid(worker, 0)
print(json.dumps(result), flush=True)
sys.exit(0)
