"""A TLS client that does what its arguments say, on one connection, with nothing between it and the TLS library.

usage: client.py PORT STEP...
    write:TEXT     one write (\\r, \\n and \\0 are escapes)
    post:N         a POST with N bytes of body to /sum: head and body in separate writes
    read:N         reads of at most N bytes until the response is whole
    get:PATH       a GET
    raw:N          reads exactly N bytes
    wait           waits for a line on standard input
    fork           forks; the child goes on with a connection of its own and the parent waits for it
    threads:N      first only: N threads, each with a connection of its own, do the rest
    loop           GET /echo for ever
    say:TEXT       prints TEXT
"""

import os
import re
import socket
import ssl
import sys
import threading


class Client:
    def __init__(self, port):
        self.port = port
        self.connect()

    def connect(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        stream = socket.create_connection(("127.0.0.1", self.port))
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = context.wrap_socket(stream)

    def response(self, size):
        data = b""
        while b"\r\n\r\n" not in data:
            data += self.stream.recv(size)
        head, rest = data.split(b"\r\n\r\n", 1)
        left = int(re.search(rb"content-length: (\d+)", head).group(1)) - len(rest)
        while left > 0:
            left -= len(self.stream.recv(min(size, left)))

    def step(self, name, value):
        if name == "write":
            self.stream.sendall(value.encode().decode("unicode_escape").encode("latin-1"))
        elif name == "post":
            body = os.urandom(int(value))
            self.stream.sendall(b"POST /sum HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body))
            self.stream.sendall(body)
        elif name == "get":
            self.stream.sendall(f"GET {value} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        elif name == "read":
            self.response(int(value))
        elif name == "raw":
            left = int(value)
            while left:
                left -= len(self.stream.recv(left))
        elif name == "wait":
            sys.stdin.readline()
        elif name == "say":
            print(value, flush=True)
        elif name == "fork":
            child = os.fork()
            if child:
                os.waitpid(child, 0)
            else:
                self.connect()
        elif name == "loop":
            while True:
                self.step("get", "/echo")
                self.step("read", "65536")
        else:
            raise SystemExit(f"no step {name}")


def run(port, steps):
    client = Client(port)
    for step in steps:
        client.step(*(step.split(":", 1) + [""])[:2])


port, steps = int(sys.argv[1]), sys.argv[2:]
if steps[0].startswith("threads:"):
    threads = [threading.Thread(target=run, args=(port, steps[1:])) for _ in range(int(steps[0].split(":")[1]))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
else:
    run(port, steps)
