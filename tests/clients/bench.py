"""Makes calls over one connection and prints the CPU time that they took, warm-up left out.

Usage: bench.py plain|stream|sdk URL CALLS GO_FILE. Says `warm`, then waits for the file.
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
    if kind == "stream":
        body.update(stream=True, stream_options={"include_usage": True})
    text = json.dumps(body)

    def call():
        connection.request("POST", parts.path + "/v1/chat/completions", text, {"content-type": "application/json"})
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
begun = time.process_time()
for _ in range(calls):
    call()
print(json.dumps({"cpu": time.process_time() - begun, "calls": calls}), flush=True)
