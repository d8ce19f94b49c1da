"""Reads traces back from a backend and says what the backend itself made of them, one JSON object a span.

`read.py phoenix|mlflow BASE TRACE_ID…`; the first line holds the backend's version. Only fields that the backend derived are read
(Phoenix: its columns, its cost, `llm.*`; MLflow: `mlflow.*`), not the attributes that it keeps as they came.

A message is {"role", "parts"}; a part is ["text", text], ["reasoning", text], ["media", address], ["call", id, name, arguments],
["result", id, value], or ["server_tool_call", id, object] and ["server_tool_call_response", id, object].
"""

import base64
import importlib.metadata
import json
import sys
import urllib.parse
import urllib.request
from datetime import datetime

kind, base, wanted = sys.argv[1], sys.argv[2], sys.argv[3:]


def get(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(base + path, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def say(**what):
    print(json.dumps(what, ensure_ascii=False))


# Phoenix ---------------------------------------------------------------------------------------------------------------

QUERY = """{ projects { edges { node { name spans(first: 1000) { edges { node { spanId trace { traceId } spanKind
  tokenCountPrompt tokenCountCompletion tokenPromptDetails { cacheRead } costSummary { total { cost } } } } } } } } }"""


def tree(attributes, prefix):
    """Flat names below a prefix as nested objects; numbers become list positions."""
    root = {}
    for name, value in attributes.items():
        if name.startswith(prefix + "."):
            at = root
            *path, last = name[len(prefix) + 1:].split(".")
            for part in path:
                at = at.setdefault(part, {})
            at[last] = value

    def lists(value):
        if not isinstance(value, dict):
            return value
        if value and all(key.isdigit() for key in value):
            return [lists(value[key]) for key in sorted(value, key=int)]
        return {key: lists(item) for key, item in value.items()}

    return lists(root) or []


def result(text):
    """What a tool gave: Phoenix has a text for it, objects as JSON."""
    return json.loads(text) if text.startswith(("{", "[")) else text


def phoenix_message(message):
    message = message["message"]
    parts = []
    if "content" in message:
        if "tool_call_id" in message:
            parts.append(["result", message["tool_call_id"], result(message["content"])])
        else:
            parts.append(["text", message["content"]])
    for content in message.get("contents", []):
        content = content["message_content"]
        if content["type"] == "image":
            parts.append(["media", content["image"]["image"]["url"]])
        else:
            parts.append([content["type"], content["text"]])
    for call in message.get("tool_calls", []):
        call = call["tool_call"]
        function = call["function"]
        parts.append(["call", call.get("id"), function["name"], json.loads(function.get("arguments", "null"))])
    return {"role": message["role"], "parts": parts}


def nanoseconds(text):
    moment = datetime.fromisoformat(text)
    return int(moment.replace(microsecond=0).timestamp()) * 10**9 + moment.microsecond * 1000


def phoenix():
    say(version=importlib.metadata.version("arize-phoenix"))
    columns = {}
    projects = [edge["node"] for edge in get("/graphql", {"query": QUERY})["data"]["projects"]["edges"]]
    for project in projects:
        for edge in project["spans"]["edges"]:
            columns[edge["node"]["spanId"]] = edge["node"]
    for project in projects:
        spans = get(f"/v1/projects/{urllib.parse.quote(project['name'])}/spans?limit=1000")["data"]
        for span in spans:
            if span["context"]["trace_id"] not in wanted:
                continue
            attributes, column = span["attributes"], columns[span["context"]["span_id"]]
            messages = [phoenix_message(message) for message in tree(attributes, "llm.input_messages")]
            system = None
            if "gen_ai.system_instructions" in attributes:
                system, messages = [part[1] for part in messages[0]["parts"]], messages[1:]
            cost = column["costSummary"]
            say(trace=span["context"]["trace_id"], span=span["context"]["span_id"], name=span["name"],
                kind=span["span_kind"], status=span["status_code"], status_message=span["status_message"],
                start=nanoseconds(span["start_time"]), end=nanoseconds(span["end_time"]),
                model=attributes.get("llm.model_name", attributes.get("embedding.model_name")),
                provider=attributes.get("llm.provider"),
                input_tokens=attributes.get("llm.token_count.prompt"),
                output_tokens=attributes.get("llm.token_count.completion"),
                cached_tokens=attributes.get("llm.token_count.prompt_details.cache_read"),
                shown_input_tokens=column["tokenCountPrompt"], shown_output_tokens=column["tokenCountCompletion"],
                cost=cost and cost["total"]["cost"], system=system, input=messages,
                output=[phoenix_message(message) for message in tree(attributes, "llm.output_messages")],
                tools=[json.loads(tool["tool"]["json_schema"])["function"] for tool in tree(attributes, "llm.tools")])


# MLflow ----------------------------------------------------------------------------------------------------------------

def plain(value):
    """A value of OTLP as the JSON that it means; null has no member."""
    if not value:
        return None
    (kind, inner), = value.items()
    if kind == "array_value":
        return [plain(item) for item in inner.get("values", [])]
    if kind == "kvlist_value":
        return {item["key"]: plain(item.get("value")) for item in inner.get("values", [])}
    return inner


def mlflow_part(part):
    if part["type"] == "tool_call":
        return ["call", part.get("id"), part["name"], part.get("arguments")]
    if part["type"] == "tool_call_response":
        return ["result", part.get("id"), part["response"]]
    if part["type"] == "uri":
        return ["media", part["uri"]]
    if part["type"] == "blob":
        return ["media", f"data:{part['mime_type']};base64,{part['content']}"]
    if part["type"] in ("server_tool_call", "server_tool_call_response"):
        return [part["type"], part.get("id"), part[part["type"]]]
    return [part["type"], part["content"]]


def mlflow_messages(messages):
    return [{"role": message["role"], "parts": [mlflow_part(part) for part in message["parts"]]} for message in messages or []]


def mlflow():
    say(version=importlib.metadata.version("mlflow"))
    for trace_id in wanted:
        try:
            trace = get(f"/api/3.0/mlflow/traces/get?trace_id=tr-{trace_id}")["trace"]
        except urllib.error.HTTPError:
            continue
        for span in trace["spans"]:
            attributes = {item["key"]: plain(item.get("value")) for item in span["attributes"]}
            usage = attributes.get("mlflow.chat.tokenUsage", {})
            shown = json.loads(trace["trace_info"].get("trace_metadata", {}).get("mlflow.trace.tokenUsage", "{}"))
            status = span["status"].get("code", "STATUS_CODE_UNSET").removeprefix("STATUS_CODE_")
            say(trace=trace_id, span=base64.b64decode(span["span_id"]).hex(), name=span["name"],
                kind=attributes.get("mlflow.spanType"), status=status, status_message=span["status"].get("message", ""),
                start=int(span["start_time_unix_nano"]), end=int(span["end_time_unix_nano"]),
                model=attributes.get("mlflow.llm.model"), provider=attributes.get("mlflow.llm.provider"),
                input_tokens=usage.get("input_tokens"), output_tokens=usage.get("output_tokens"),
                cached_tokens=usage.get("cache_read_input_tokens"),
                shown_input_tokens=shown.get("input_tokens"), shown_output_tokens=shown.get("output_tokens"),
                cost=attributes.get("mlflow.llm.cost", {}).get("total_cost"), system=None,
                input=mlflow_messages(attributes.get("mlflow.spanInputs")),
                output=mlflow_messages(attributes.get("mlflow.spanOutputs")),
                tools=attributes.get("mlflow.chat.tools", []))


{"phoenix": phoenix, "mlflow": mlflow}[kind]()
