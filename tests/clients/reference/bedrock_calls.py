"""Calls of boto3 to Amazon Bedrock, under opentelemetry-instrumentation-genai-bedrock."""

import json

import boto3
from botocore.config import Config
from opentelemetry.instrumentation.genai.bedrock import BedrockInstrumentor

PACKAGES = ["opentelemetry-instrumentation-genai-bedrock", "boto3"]
PROMPT = "why is the sky blue? äöü 日本"
MODEL = "anthropic.claude-3-5-haiku-20241022-v1:0"
TITAN = "amazon.titan-embed-text-v2:0"
SCHEMA = {"type": "object", "properties": {"query": {"type": "string"}, "limit": {"type": "integer"}}, "required": ["query"]}
TOOLS = {"tools": [{"toolSpec": {"name": "lookup", "description": "Looks things up", "inputSchema": {"json": SCHEMA}}}]}
MESSAGES = [{"role": "user", "content": [{"text": PROMPT}]}]
CLAUDE = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 1024, "messages": [{"role": "user", "content": PROMPT}]}


def instrument(provider):
    BedrockInstrumentor().instrument(tracer_provider=provider)


def calls(url):
    def client(wishes=""):
        return boto3.client(
            "bedrock-runtime", region_name="us-east-1", endpoint_url=url + wishes, aws_access_key_id="test",
            aws_secret_access_key="test-secret", config=Config(retries={"total_max_attempts": 1}))

    def converse(wishes="", **more):
        return client(wishes).converse(**{"modelId": MODEL, "messages": MESSAGES, **more})

    def converse_stream(wishes="", **more):
        for _ in client(wishes).converse_stream(**{"modelId": MODEL, "messages": MESSAGES, **more})["stream"]:
            pass

    def invoke(wishes="", model=MODEL, body=CLAUDE):
        return client(wishes).invoke_model(modelId=model, body=json.dumps(body))["body"].read()

    def invoke_stream(wishes="", **more):
        answer = client(wishes).invoke_model_with_response_stream(modelId=MODEL, body=json.dumps({**CLAUDE, **more}))
        for _ in answer["body"]:
            pass

    tool_turn = MESSAGES + [
        {"role": "assistant", "content": [
            {"text": "let me see"}, {"toolUse": {"toolUseId": "tooluse_1", "name": "lookup", "input": {"query": "sky"}}}]},
        {"role": "user", "content": [{"toolResult": {"toolUseId": "tooluse_1", "content": [{"text": "Rayleigh scattering"}]}}]},
    ]
    many = {"inferenceConfig": {"maxTokens": 100, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"]},
            "system": [{"text": "be brief"}], "additionalModelRequestFields": {"top_k": 40}}
    body = {**CLAUDE, "system": "be brief", "temperature": 0.5, "top_p": 0.9, "top_k": 40, "stop_sequences": ["END"]}
    return [
        ("converse", converse, None),
        ("converse, parameters", lambda: converse(**many), None),
        ("converse, tool", lambda: converse(toolConfig=TOOLS), None),
        ("converse, tool result", lambda: converse(messages=tool_turn, toolConfig=TOOLS), None),
        ("converse, stream", converse_stream, None),
        ("converse, stream, tool", lambda: converse_stream(toolConfig=TOOLS), None),
        ("converse, error 429", lambda: converse("/status=429"), "ThrottlingException"),
        ("converse, error 400, stream", lambda: converse_stream("/status=400"), "ValidationException"),
        ("converse, error inside the stream", lambda: converse_stream("/break"), "EventStreamError"),
        ("invoke", invoke, None),
        ("invoke, parameters", lambda: invoke(body=body), None),
        ("invoke, tool", lambda: invoke(body={**CLAUDE, "tools": [
            {"name": "lookup", "description": "Looks things up", "input_schema": SCHEMA}]}), None),
        ("invoke, stream", invoke_stream, None),
        ("invoke, error 404", lambda: invoke("/status=404"), "ResourceNotFoundException"),
        ("embeddings", lambda: invoke(model=TITAN, body={"inputText": PROMPT, "dimensions": 256}), None),
    ]
