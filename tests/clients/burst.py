"""Reads one answer in reads of a fixed size, as fast as loopback goes, and prints how many bytes and reads there were.

Usage: burst.py HOST PORT PATH READ_SIZE
"""

import json
import os
import socket
import ssl
import sys

host, port, path, size = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
body = json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "burst"}]}).encode()
head = (f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n").encode()
context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
reads = total = 0
with socket.create_connection((host, port)) as plain, context.wrap_socket(plain, server_hostname=host) as tls:
    tls.sendall(head)
    tls.sendall(body)
    buffer = bytearray(size)
    while True:
        try:
            count = tls.recv_into(buffer)
        except ssl.SSLEOFError:
            break
        if count == 0:
            break
        reads += 1
        total += count
print(json.dumps({"reads": reads, "received": total, "sent": len(head) + len(body)}), flush=True)
