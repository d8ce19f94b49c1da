"""Calls an LLM API through an official SDK that the reference OpenTelemetry instrumentation watches from inside.

`run.py FAMILY --url BASE --spans FILE`: makes the calls of `FAMILY_calls.py` one after the other and writes, one JSON object a
line, first the versions, then what the instrumentation recorded of each: {"call", "spans": [{"name", "kind", "status",
"attributes", "events"}]}.
Nothing here touches the requests: no propagation, no wrappers of our own.
"""

import argparse
import asyncio
import importlib
import importlib.metadata
import inspect
import json
import os
import sys

os.environ.setdefault("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "SPAN_ONLY")
os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "gen_ai_latest_experimental")

from opentelemetry.sdk.trace import TracerProvider  # noqa: E402
from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: E402
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("family")
parser.add_argument("--url", required=True, help="base of the provider")
parser.add_argument("--spans", required=True, help="file to write")
options = parser.parse_args()

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))

calls = importlib.import_module(f"{options.family}_calls")
calls.instrument(provider)


def as_data(span):
    return {
        "name": span.name,
        "kind": span.kind.name,
        "status": {"code": span.status.status_code.name, "message": span.status.description or ""},
        "attributes": {key: list(value) if isinstance(value, tuple) else value for key, value in span.attributes.items()},
        "events": [{"name": event.name, "attributes": dict(event.attributes or {})} for event in span.events],
    }


failed = False
with open(options.spans, "w", encoding="utf-8") as out:
    versions = {package: importlib.metadata.version(package) for package in calls.PACKAGES}
    out.write(json.dumps({"versions": versions}) + "\n")
    for name, call, expected in calls.calls(options.url):
        exporter.clear()
        error = None
        try:
            made = call()
            if inspect.iscoroutine(made):
                asyncio.run(made)
        except Exception as raised:
            error = type(raised).__name__
        if error != expected:
            failed = True
            print(f"{name}: ended with {error}, not {expected}", file=sys.stderr)
        record = {"call": name, "spans": [as_data(span) for span in exporter.get_finished_spans()]}
        out.write(json.dumps(record, ensure_ascii=False) + "\n")
sys.exit(1 if failed else 0)
