"""Calls of the Anthropic SDK, under opentelemetry-instrumentation-genai-anthropic."""

import anthropic
from opentelemetry.instrumentation.genai.anthropic import AnthropicInstrumentor

PACKAGES = ["opentelemetry-instrumentation-genai-anthropic", "anthropic"]
PROMPT = "why is the sky blue? äöü 日本"
SCHEMA = {"type": "object", "properties": {"query": {"type": "string"}, "limit": {"type": "integer"}}, "required": ["query"]}
TOOL = {"name": "lookup", "description": "Looks things up", "input_schema": SCHEMA}
MESSAGES = [{"role": "user", "content": PROMPT}]
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def instrument(provider):
    AnthropicInstrumentor().instrument(tracer_provider=provider)


def calls(url):
    def client(wishes="", kind=anthropic.Anthropic):
        return kind(api_key="sk-ant-test-secret", base_url=f"{url}{wishes}", max_retries=0, timeout=60)

    def create(wishes="", **more):
        wanted = {"model": "claude-haiku-4-5", "max_tokens": 1024, "messages": MESSAGES, **more}
        return client(wishes).messages.create(**wanted)

    def read(stream):
        for _ in stream:
            pass

    def helper():
        with client().messages.stream(model="claude-haiku-4-5", max_tokens=1024, messages=MESSAGES) as stream:
            read(stream)

    async def create_async(stream):
        made = await client(kind=anthropic.AsyncAnthropic).messages.create(
            model="claude-haiku-4-5", max_tokens=1024, messages=MESSAGES, stream=stream)
        if stream:
            async for _ in made:
                pass

    tool_turn = MESSAGES + [
        {"role": "assistant", "content": [
            {"type": "text", "text": "let me see"},
            {"type": "tool_use", "id": "toolu_1", "name": "lookup", "input": {"query": "sky"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "Rayleigh scattering"}]},
    ]
    two_results = MESSAGES + [
        {"role": "assistant", "content": [
            {"type": "tool_use", "id": "toolu_1", "name": "lookup", "input": {"query": "sky"}},
            {"type": "tool_use", "id": "toolu_2", "name": "lookup", "input": {"query": "blue"}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": "Rayleigh scattering"},
            {"type": "tool_result", "tool_use_id": "toolu_2", "content": "a colour"},
            {"type": "text", "text": "and in the evening?"}]},
    ]
    image = [{"role": "user", "content": [
        {"type": "text", "text": "what is this?"},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
    ]}]
    many = {"extra_body": {"temperature": 0.5, "top_p": 0.9, "top_k": 40}, "stop_sequences": ["END"], "service_tier": "standard_only",
            "metadata": {"user_id": "user-7"}, "system": [{"type": "text", "text": "be brief"}]}
    return [
        ("messages", lambda: create(system="be brief"), None),
        ("messages, async", lambda: create_async(False), None),
        ("messages, parameters", lambda: create(**many), None),
        ("messages, image", lambda: create(messages=image), None),
        ("messages, tool", lambda: create(tools=[TOOL]), None),
        ("messages, tool result", lambda: create(messages=tool_turn, tools=[TOOL]), None),
        ("messages, two tool results and text", lambda: create(messages=two_results, tools=[TOOL]), None),
        ("messages, thinking and web search", lambda: create("/think/search"), None),
        ("messages, stream", lambda: read(create(stream=True)), None),
        ("messages, stream, async", lambda: create_async(True), None),
        ("messages, stream helper", helper, None),
        ("messages, stream, tool", lambda: read(create(stream=True, tools=[TOOL])), None),
        ("messages, stream, thinking and web search", lambda: read(create("/think/search", stream=True)), None),
        ("messages, error 404", lambda: create("/status=404"), "NotFoundError"),
        ("messages, error 429, stream", lambda: read(create("/status=429", stream=True)), "RateLimitError"),
        ("messages, error inside the stream", lambda: read(create("/break", stream=True)), "APIStatusError"),
    ]
