"""Calls an LLM API through the official Python SDKs, unmodified, and checks every answer.

Prints one JSON line: how many calls succeeded and failed, and the longest one in seconds.
"""

import argparse
import asyncio
import concurrent.futures
import json
import sys
import time

parser = argparse.ArgumentParser()
parser.add_argument("api", choices=["chat", "responses", "embeddings", "messages"])
parser.add_argument("--url", required=True, help="base of the provider, without /v1")
parser.add_argument("--mode", choices=["sync", "async"], default="sync")
parser.add_argument("--stream", action="store_true")
parser.add_argument("--calls", type=int, default=1)
parser.add_argument("--concurrency", type=int, default=1)
parser.add_argument("--model", default="")
parser.add_argument("--prompt-bytes", type=int, default=0)
parser.add_argument("--tool", action="store_true")
parser.add_argument("--expect-error", default="")
parser.add_argument("--name", default="call")
options = parser.parse_args()

MODELS = {"chat": "gpt-4o-mini", "responses": "gpt-4.1-mini", "embeddings": "text-embedding-3-small",
          "messages": "claude-haiku-4-5"}
model = options.model or MODELS[options.api]
SCHEMA = {"type": "object", "properties": {"query": {"type": "string"}, "limit": {"type": "integer"}}, "required": ["query"]}


def prompt(number):
    text = f"{options.name} {number}: why is the sky blue? äöü 日本"
    return text + "x" * max(0, options.prompt_bytes - len(text))


def make_client():
    asynchronous = options.mode == "async"
    if options.api == "messages":
        import anthropic
        kind = anthropic.AsyncAnthropic if asynchronous else anthropic.Anthropic
        return kind(api_key="sk-ant-test-secret", base_url=options.url, max_retries=0, timeout=120)
    import openai
    kind = openai.AsyncOpenAI if asynchronous else openai.OpenAI
    return kind(api_key="sk-test-secret", base_url=options.url + "/v1", max_retries=0, timeout=120)


def arguments(number):
    if options.api == "embeddings":
        return {"model": model, "input": [prompt(number), "second"]}
    if options.api == "responses":
        wanted = {"model": model, "input": prompt(number), "instructions": "be brief"}
        if options.tool:
            wanted["tools"] = [{"type": "function", "name": "lookup", "parameters": SCHEMA, "strict": False}]
        return wanted
    wanted = {"model": model, "messages": [{"role": "user", "content": prompt(number)}]}
    if options.api == "messages":
        wanted["max_tokens"] = 1024
        wanted["system"] = "be brief"
        if options.tool:
            wanted["tools"] = [{"name": "lookup", "input_schema": SCHEMA}]
    else:
        wanted["temperature"] = 0.5
        if options.tool:
            wanted["tools"] = [{"type": "function", "function": {"name": "lookup", "parameters": SCHEMA}}]
        if options.stream:
            wanted["stream_options"] = {"include_usage": True}
    return wanted


def endpoint(client):
    if options.api == "chat":
        return client.chat.completions.create
    return {"responses": lambda: client.responses, "embeddings": lambda: client.embeddings,
            "messages": lambda: client.messages}[options.api]().create


def check_event(event, state):
    """Remembers whether the last event of a stream, which ends it, was seen."""
    if options.api == "chat":
        state["end"] = state.get("end") or bool(event.choices and event.choices[0].finish_reason)
        state["usage"] = state.get("usage") or event.usage is not None
    elif event.type in ("response.completed", "message_stop"):
        state["end"] = state["usage"] = True


def check_answer(answer):
    if options.api == "chat":
        good = answer.choices[0].finish_reason in ("stop", "tool_calls") and answer.usage.total_tokens > 0
    elif options.api == "responses":
        good = answer.status == "completed" and answer.usage.total_tokens > 0
    elif options.api == "embeddings":
        good = len(answer.data) == 2 and len(answer.data[0].embedding) == 256
    else:
        good = answer.stop_reason in ("end_turn", "tool_use") and answer.usage.output_tokens > 0
    if not good:
        raise ValueError(f"unexpected answer: {answer}")


def call(client, number):
    if not options.stream:
        return check_answer(endpoint(client)(**arguments(number)))
    state = {}
    for event in endpoint(client)(**arguments(number), stream=True):
        check_event(event, state)
    if not (state.get("end") and state.get("usage")):
        raise ValueError("the stream ended early")


async def call_async(client, number):
    if not options.stream:
        return check_answer(await endpoint(client)(**arguments(number)))
    state = {}
    async for event in await endpoint(client)(**arguments(number), stream=True):
        check_event(event, state)
    if not (state.get("end") and state.get("usage")):
        raise ValueError("the stream ended early")


results = {"ok": 0, "failed": 0, "longest": 0.0}


def note(begun, error):
    results["longest"] = max(results["longest"], time.monotonic() - begun)
    if error is None:
        good = not options.expect_error
    else:
        good = bool(options.expect_error) and options.expect_error in f"{type(error).__name__}: {error}"
        if not good:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
    results["ok" if good else "failed"] += 1


def run_sync():
    client = make_client()

    def one(number):
        begun = time.monotonic()
        try:
            call(client, number)
        except Exception as error:
            return note(begun, error)
        note(begun, None)

    with concurrent.futures.ThreadPoolExecutor(options.concurrency) as pool:
        list(pool.map(one, range(options.calls)))


async def run_async():
    client = make_client()
    gate = asyncio.Semaphore(options.concurrency)

    async def one(number):
        async with gate:
            begun = time.monotonic()
            try:
                await call_async(client, number)
            except Exception as error:
                return note(begun, error)
            note(begun, None)

    await asyncio.gather(*(one(number) for number in range(options.calls)))


run_sync() if options.mode == "sync" else asyncio.run(run_async())
print(json.dumps(results), flush=True)
sys.exit(0 if results["failed"] == 0 else 1)
