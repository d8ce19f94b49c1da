"""Calls of the OpenAI SDK, under opentelemetry-instrumentation-genai-openai."""

import openai
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

PACKAGES = ["opentelemetry-instrumentation-genai-openai", "openai"]
PROMPT = "why is the sky blue? äöü 日本"
SCHEMA = {"type": "object", "properties": {"query": {"type": "string"}, "limit": {"type": "integer"}}, "required": ["query"]}
CHAT_TOOL = {"type": "function", "function": {"name": "lookup", "description": "Looks things up", "parameters": SCHEMA}}
RESPONSES_TOOL = {"type": "function", "name": "lookup", "description": "Looks things up", "parameters": SCHEMA, "strict": False}
PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
MESSAGES = [{"role": "system", "content": "be brief"}, {"role": "user", "content": PROMPT}]


def instrument(provider):
    OpenAIInstrumentor().instrument(tracer_provider=provider)


def calls(url):
    def client(wishes="", kind=openai.OpenAI):
        return kind(api_key="sk-test-secret", base_url=f"{url}{wishes}/v1", max_retries=0, timeout=60)

    def chat(wishes="", **more):
        return client(wishes).chat.completions.create(**{"model": "gpt-4o-mini", "messages": MESSAGES, **more})

    def responses(wishes="", **more):
        return client(wishes).responses.create(**{"model": "gpt-4.1-mini", "input": PROMPT, **more})

    def read(stream):
        for _ in stream:
            pass

    async def chat_async(stream):
        wanted = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
        made = await client(kind=openai.AsyncOpenAI).chat.completions.create(model="gpt-4o-mini", messages=MESSAGES, **wanted)
        if stream:
            async for _ in made:
                pass

    usage = {"stream": True, "stream_options": {"include_usage": True}}
    tool_turn = MESSAGES + [
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "lookup", "arguments": '{"query": "sky"}'}}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "Rayleigh scattering"},
    ]
    image = [{"role": "user", "name": "ada", "content": [
        {"type": "text", "text": "what is this?"},
        {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
        {"type": "image_url", "image_url": {"url": PIXEL}},
        {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
    ]}]
    many = {"temperature": 0.5, "top_p": 0.9, "seed": 7, "max_completion_tokens": 100, "frequency_penalty": 0.25,
            "presence_penalty": 0.75, "stop": ["END", "STOP"], "service_tier": "flex", "n": 1,
            "response_format": {"type": "json_object"}, "reasoning_effort": "low", "user": "user-7"}
    response_turn = [
        {"role": "user", "content": PROMPT},
        {"type": "function_call", "call_id": "call_1", "name": "lookup", "arguments": '{"query": "sky"}'},
        {"type": "function_call_output", "call_id": "call_1", "output": "Rayleigh scattering"},
    ]
    return [
        ("chat", chat, None),
        ("chat, async", lambda: chat_async(False), None),
        ("chat, parameters", lambda: chat(**many), None),
        ("chat, image and audio", lambda: chat(messages=image), None),
        ("chat, tool", lambda: chat(tools=[CHAT_TOOL]), None),
        ("chat, tool result", lambda: chat(messages=tool_turn, tools=[CHAT_TOOL]), None),
        ("chat, stream", lambda: read(chat(**usage)), None),
        ("chat, stream, async", lambda: chat_async(True), None),
        ("chat, stream without usage", lambda: read(chat(stream=True)), None),
        ("chat, stream, tool", lambda: read(chat(tools=[CHAT_TOOL], **usage)), None),
        ("chat, error 404", lambda: chat("/status=404"), "NotFoundError"),
        ("chat, error 429, stream", lambda: read(chat("/status=429", **usage)), "RateLimitError"),
        ("chat, error inside the stream", lambda: read(chat("/break", **usage)), "APIError"),
        ("responses", lambda: responses(instructions="be brief"), None),
        ("responses, parameters",
         lambda: responses(temperature=0.5, top_p=0.9, max_output_tokens=100, service_tier="flex",
                           previous_response_id="resp_before", reasoning={"effort": "low"},
                           text={"format": {"type": "json_object"}}), None),
        ("responses, tool", lambda: responses(tools=[RESPONSES_TOOL]), None),
        ("responses, tool result", lambda: responses(input=response_turn, tools=[RESPONSES_TOOL]), None),
        ("responses, reasoning and web search", lambda: responses("/think/search"), None),
        ("responses, stream", lambda: read(responses(stream=True)), None),
        ("responses, stream, tool", lambda: read(responses(stream=True, tools=[RESPONSES_TOOL])), None),
        ("responses, stream, reasoning and web search", lambda: read(responses("/think/search", stream=True)), None),
        ("responses, error 500", lambda: responses("/status=500"), "InternalServerError"),
        ("responses, failed inside the stream", lambda: read(responses("/break", stream=True)), None),
        ("embeddings", lambda: client().embeddings.create(model="text-embedding-3-small", input=[PROMPT, "second"]), None),
        ("embeddings, parameters",
         lambda: client().embeddings.create(model="text-embedding-3-small", input=PROMPT, dimensions=64,
                                            encoding_format="float"), None),
        ("embeddings, error 401",
         lambda: client("/status=401").embeddings.create(model="text-embedding-3-small", input=PROMPT), "AuthenticationError"),
    ]
