"""A TLS server that keeps what it received and sent on each connection, byte for byte.

usage: server.py DIRECTORY CERTIFICATE KEY. Prints its port. Connection N is kept in DIRECTORY/N.in and DIRECTORY/N.out.

A request is answered by its path: /echo sends the body back; /many/COUNT/SIZE sends COUNT TLS records of SIZE bytes; /sum answers with
the length of the body. A connection that does not begin with an HTTP method is echoed as it is.
"""

import hashlib
import os
import socket
import ssl
import sys
import threading

METHODS = (b"GET ", b"POST", b"PUT ", b"DELE", b"HEAD")


class Connection:
    def __init__(self, stream, directory, number):
        self.stream = stream
        self.received = open(os.path.join(directory, f"{number}.in"), "wb", buffering=0)
        self.sent = open(os.path.join(directory, f"{number}.out"), "wb", buffering=0)
        self.buffer = b""

    def more(self):
        data = self.stream.recv(65536)
        self.received.write(data)
        self.buffer += data
        return bool(data)

    def send(self, data):
        self.sent.write(data)
        self.stream.sendall(data)

    def take(self, count):
        parts, have = [], 0
        while True:
            piece = self.buffer[: count - have]
            self.buffer = self.buffer[len(piece):]
            parts.append(piece)
            have += len(piece)
            if have == count or not self.more():
                return b"".join(parts)

    def head(self):
        while b"\r\n\r\n" not in self.buffer:
            if not self.more():
                return None
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        return head

    def serve(self):
        while len(self.buffer) < 4:
            if not self.more():
                return
        if not self.buffer.startswith(METHODS):
            while True:
                self.send(self.buffer)
                self.buffer = b""
                if not self.more():
                    return
        while (head := self.head()) is not None:
            lines = head.split(b"\r\n")
            path = lines[0].split(b" ")[1].decode()
            fields = dict(line.lower().split(b": ", 1) for line in lines[1:])
            body = self.take(int(fields.get(b"content-length", b"0")))
            if path.startswith("/many/"):
                _, _, count, size = path.split("/")
                count, size = int(count), int(size)
                self.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (count * size))
                for index in range(count):
                    self.send((b"%08d" % index).ljust(size, b"x"))
            elif path == "/sum":
                answer = hashlib.sha256(body).hexdigest().encode()
                self.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(answer) + answer)
            else:
                self.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)


def run(stream, context, directory, number):
    try:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with context.wrap_socket(stream, server_side=True) as secured:
            Connection(secured, directory, number).serve()
    except OSError:
        pass  # The client went away, which some tests want.


def main():
    directory, certificate, key = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(listener.getsockname()[1], flush=True)
    number = 0
    while True:
        stream, _ = listener.accept()
        threading.Thread(target=run, args=(stream, context, directory, number), daemon=True).start()
        number += 1


main()
