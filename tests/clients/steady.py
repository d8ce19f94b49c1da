"""Calls over kept connections until a file appears, then prints how many bytes went and came.

Usage: steady.py HOST PORT PATH CONNECTIONS STOP_FILE. Prints `working` once every connection has had an answer.
"""

import json
import os
import socket
import ssl
import sys
import threading

host, port, path, connections, stop = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), sys.argv[5]
body = json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "steady"}],
                   "stream": "gap=" in path}).encode()
head = (f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n").encode()
context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
moved, working = [], []


class Counted:
    """A file over the connection that counts what is read of it."""

    def __init__(self, tls):
        self.tls, self.buffer, self.received = tls, b"", 0

    def fill(self):
        data = self.tls.recv(16384)
        if not data:
            raise EOFError("the server has closed")
        self.received += len(data)
        self.buffer += data

    def line(self):
        while b"\n" not in self.buffer:
            self.fill()
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.strip()

    def skip(self, count):
        while count > len(self.buffer):
            count -= len(self.buffer)
            self.buffer = b""
            self.fill()
        self.buffer = self.buffer[count:]


def answer(stream):
    status, length, chunked = stream.line(), 0, False
    assert status.startswith(b"HTTP/1.1 200"), status
    while header := stream.line().lower():
        name, _, value = header.partition(b":")
        length = int(value) if name == b"content-length" else length
        chunked = chunked or (name == b"transfer-encoding" and b"chunked" in value)
    if not chunked:
        return stream.skip(length)
    while size := int(stream.line().split(b";")[0], 16):
        stream.skip(size + 2)
    while stream.line():
        pass


def run():
    sent = 0
    with socket.create_connection((host, port)) as plain, context.wrap_socket(plain, server_hostname=host) as tls:
        stream = Counted(tls)
        while not os.path.exists(stop):
            tls.sendall(head)
            tls.sendall(body)
            sent += len(head) + len(body)
            answer(stream)
            if len(working) < connections and threading.current_thread() not in working:
                working.append(threading.current_thread())
                if len(working) == connections:
                    print("working", flush=True)
        moved.append((sent, stream.received))


threads = [threading.Thread(target=run) for _ in range(connections)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(moved) == connections, "a connection failed"
print(json.dumps({"sent": sum(m[0] for m in moved), "received": sum(m[1] for m in moved)}), flush=True)
