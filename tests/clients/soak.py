"""One process that calls all the time: one connection for many calls, and every tenth call on a connection of its own.

Usage: soak.py URL SECONDS PAUSE
"""

import http.client
import json
import os
import ssl
import sys
import time
import urllib.parse

url, seconds, pause = urllib.parse.urlsplit(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])


def connect():
    return http.client.HTTPSConnection(url.hostname, url.port, context=context, timeout=60)


def call(connection, number):
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": f"keeper {number} " + "x" * (number % 1000)}]}
    if number % 2:
        body["stream"] = True
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    assert answer.status == 200 and (number % 2 == 1) == (b"[DONE]" in text), text


end = time.monotonic() + seconds
kept, number = connect(), 0
while time.monotonic() < end:
    number += 1
    call(kept, number)
    if number % 10 == 0:
        once = connect()
        call(once, number)
        once.close()
    time.sleep(pause / 4)
