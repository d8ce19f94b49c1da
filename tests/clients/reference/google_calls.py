"""Calls of the Google Gen AI SDK, under opentelemetry-instrumentation-google-genai."""

from google import genai
from google.genai import types
from opentelemetry.instrumentation.google_genai import GoogleGenAiSdkInstrumentor

PACKAGES = ["opentelemetry-instrumentation-google-genai", "google-genai"]
PROMPT = "why is the sky blue? äöü 日本"
MODEL = "gemini-2.5-flash"
SCHEMA = {"type": "OBJECT", "properties": {"query": {"type": "STRING"}, "limit": {"type": "INTEGER"}}, "required": ["query"]}
TOOL = types.Tool(function_declarations=[
    types.FunctionDeclaration(name="lookup", description="Looks things up", parameters=types.Schema(**SCHEMA))])
PIXEL = bytes.fromhex("89504e470d0a1a0a")


def instrument(provider):
    GoogleGenAiSdkInstrumentor().instrument(tracer_provider=provider)


def calls(url):
    def client(wishes=""):
        # The answer may not be asked for twice: one call is one request.
        options = types.HttpOptions(base_url=url + wishes, retry_options=types.HttpRetryOptions(attempts=1))
        return genai.Client(api_key="test-secret", vertexai=False, http_options=options)

    # A client that is collected closes its connections: it must outlive the call.
    def generate(wishes="", contents=PROMPT, **config):
        made = client(wishes)
        return made.models.generate_content(model=MODEL, contents=contents, config=types.GenerateContentConfig(**config))

    def stream(wishes="", contents=PROMPT, **config):
        made = client(wishes)
        for _ in made.models.generate_content_stream(
                model=MODEL, contents=contents, config=types.GenerateContentConfig(**config)):
            pass

    async def generate_async():
        await client().aio.models.generate_content(model=MODEL, contents=PROMPT)

    async def stream_async():
        made = client()
        async for _ in await made.aio.models.generate_content_stream(model=MODEL, contents=PROMPT):
            pass

    def embed(wishes="", **config):
        made = client(wishes)
        return made.models.embed_content(
            model="gemini-embedding-001", contents=[PROMPT, "second"], config=types.EmbedContentConfig(**config))

    tool_turn = [
        types.Content(role="user", parts=[types.Part(text=PROMPT)]),
        types.Content(role="model", parts=[types.Part(function_call=types.FunctionCall(
            id="call-1", name="lookup", args={"query": "sky"}))]),
        types.Content(role="user", parts=[types.Part(function_response=types.FunctionResponse(
            id="call-1", name="lookup", response={"result": "Rayleigh scattering"}))]),
    ]
    image = [types.Content(role="user", parts=[
        types.Part(text="what is this?"),
        types.Part(file_data=types.FileData(file_uri="https://example.com/cat.png", mime_type="image/png")),
        types.Part(inline_data=types.Blob(data=PIXEL, mime_type="image/png")),
    ])]
    many = {"temperature": 0.5, "top_p": 0.9, "top_k": 40, "max_output_tokens": 100, "seed": 7, "stop_sequences": ["END"],
            "frequency_penalty": 0.25, "presence_penalty": 0.75, "candidate_count": 1,
            "response_mime_type": "application/json", "system_instruction": "be brief",
            "thinking_config": types.ThinkingConfig(include_thoughts=True, thinking_budget=64)}
    return [
        ("generate", lambda: generate(system_instruction="be brief"), None),
        ("generate, async", generate_async, None),
        ("generate, parameters", lambda: generate(**many), None),
        ("generate, image", lambda: generate(contents=image), None),
        ("generate, tool", lambda: generate(tools=[TOOL]), None),
        ("generate, tool result", lambda: generate(contents=tool_turn, tools=[TOOL]), None),
        ("generate, stream", stream, None),
        ("generate, stream, async", stream_async, None),
        ("generate, stream, tool", lambda: stream(tools=[TOOL]), None),
        ("generate, error 404", lambda: generate("/status=404"), "ClientError"),
        ("generate, error 429, stream", lambda: stream("/status=429"), "ClientError"),
        ("generate, error inside the stream", lambda: stream("/break"), "ServerError"),
        ("embeddings", embed, None),
        ("embeddings, parameters", lambda: embed(output_dimensionality=16), None),
        ("embeddings, error 400", lambda: embed("/status=400"), "ClientError"),
    ]
