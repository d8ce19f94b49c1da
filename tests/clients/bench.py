"""Makes calls over one connection and prints the CPU time that they took and their latencies, warm-up left out.

Usage: bench.py plain|stream|sdk|path URL CALLS GO_FILE. Says `warm`, then waits for the file. `path`: plain, URL with its path.
"""

import http.client
import json
import os
import ssl
import sys
import time
import urllib.parse

kind, url, calls, go = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
parts = urllib.parse.urlsplit(url)


def plain_client():
    context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    connection = http.client.HTTPSConnection(parts.hostname, parts.port, context=context)
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "measure"}]}
    if url.endswith("/orders"):
        body = {"customer": "example-17", "items": [{"article": "lamp", "count": "2", "note": "measure"}]}
    if kind == "stream":
        body.update(stream=True, stream_options={"include_usage": True})
    text = json.dumps(body)
    path = parts.path if kind == "path" else parts.path + "/v1/chat/completions"

    def call():
        connection.request("POST", path, text, {"content-type": "application/json"})
        answer = connection.getresponse().read()
        assert answer.rstrip().endswith(b"[DONE]" if kind == "stream" else b"}"), answer

    return call


def sdk_client():
    import openai
    client = openai.OpenAI(api_key="sk-test-secret", base_url=url + "/v1", max_retries=0)

    def call():
        answer = client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "measure"}])
        assert answer.usage.total_tokens > 0

    return call


call = sdk_client() if kind == "sdk" else plain_client()
for _ in range(20):
    call()
print("warm", flush=True)
while not os.path.exists(go):
    time.sleep(0.02)
latencies = []
begun = time.process_time()
for _ in range(calls):
    before = time.perf_counter()
    call()
    latencies.append(time.perf_counter() - before)
cpu = time.process_time() - begun
latencies.sort()
p50, p99 = (latencies[min(calls - 1, int(calls * share))] for share in (0.5, 0.99))
print(json.dumps({"cpu": cpu, "calls": calls, "p50": p50, "p99": p99}), flush=True)
