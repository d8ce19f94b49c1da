"""Calls as fast as loopback goes, on many connections at the same time, every write and every read of one size; prints how many bytes were moved.

Usage: bursts.py HOST PORT SIZE BODY CONNECTIONS CALLS
Each connection makes CALLS calls with a body of BODY bytes and an answer of as many, in writes and reads of SIZE bytes.
"""

import json
import os
import socket
import ssl
import sys
import threading

host, port = sys.argv[1], int(sys.argv[2])
size, length, connections, calls = map(int, sys.argv[3:7])
context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
prefix, suffix = b'{"model":"gpt-4o-mini","messages":[{"role":"user","content":"', b'"}]}'
body = prefix + b"x" * max(0, length - len(prefix) - len(suffix)) + suffix
head = (f"POST /size={length}/v1/chat/completions HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n").encode()
moved = [[0, 0] for _ in range(connections)]
failures = []
ready = threading.Barrier(connections)


def call(tls, buffer, count):
    for piece in [head, *(body[at:at + size] for at in range(0, len(body), size))]:
        tls.sendall(piece)
        count[0] += len(piece)
    begun = b""
    wanted = None
    got = 0
    while wanted is None or got < wanted:
        read = tls.recv_into(buffer)
        if read == 0:
            raise EOFError
        count[1] += read
        got += read
        if wanted is None:
            begun += bytes(buffer[:read])
            end = begun.find(b"\r\n\r\n")
            if end >= 0:
                fields = begun[:end].lower().split(b"content-length: ")
                wanted = end + 4 + int(fields[1].split(b"\r\n")[0])


def worker(count):
    try:
        buffer = bytearray(size)
        with socket.create_connection((host, port)) as plain, context.wrap_socket(plain, server_hostname=host) as tls:
            ready.wait()
            for _ in range(calls):
                call(tls, buffer, count)
    except Exception as error:
        failures.append(repr(error))
        ready.abort()


threads = [threading.Thread(target=worker, args=(count,)) for count in moved]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
if failures:
    sys.exit("; ".join(failures[:3]))
print(json.dumps({"sent": sum(count[0] for count in moved), "received": sum(count[1] for count in moved)}), flush=True)
