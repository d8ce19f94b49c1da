"""Prints wirespan's price snapshot (format 1) made from the facts in the genai-prices package.

Run by `cargo xtask prices` inside a virtual environment that has genai-prices. The output depends on nothing but the
package and the two arguments, so the same version always gives the same bytes. Whatever this script does not
understand (a new kind of rule, price or condition) ends it with an error, so that nothing is dropped unseen.

usage: snapshot.py VERSION DATE
"""

import json
import re._parser as sre
import sys
from datetime import UTC
from decimal import Decimal

from genai_prices import types
from genai_prices.data import providers

# The source's price keys and our items: tokens and characters in USD per million, audio in USD per hour, the others in
# USD per thousand.
ITEMS = {
    "input_mtok": "input",
    "cache_read_mtok": "cache_read",
    "cache_write_mtok": "cache_write",
    "cache_write_5m_mtok": "cache_write_5m",
    "cache_write_1h_mtok": "cache_write_1h",
    "input_audio_mtok": "audio_input",
    "cache_audio_read_mtok": "audio_cache_read",
    "input_image_mtok": "image_input",
    "cache_image_read_mtok": "image_cache_read",
    "output_mtok": "output",
    "output_reasoning_mtok": "reasoning",
    "output_audio_mtok": "audio_output",
    "output_image_mtok": "image_output",
    "requests_kcount": "requests",
    "web_searches_kcount": "web_searches",
    "audio_hours": "audio_hours",
    "input_mchars": "characters",
    "input_document_kpages": "pages",
}
# Billed by something that a call of ours does not count: only named, so that `prices explain` can tell.
ALSO = {
    "input_annotated_document_kpages": "annotated_document_pages",
    "input_text_messages_kcount": "text_messages",
    "input_video_mtok": "video_input",
    "output_video_mtok": "video_output",
    "output_citation_mtok": "citation",
    "storage_searches_kcount": "storage_searches",
}
# `gen_ai.provider.name` values and the slugs of gateways that mean this provider, beside its id.
NAMES = {
    "aws": ["aws.bedrock", "bedrock"],
    "azure": ["azure.ai.openai", "azure.ai.inference", "azure_ai"],
    "google": ["gcp.gemini", "gcp.vertex_ai", "gcp.gen_ai", "gemini", "vertex_ai", "vertex"],
    "mistral": ["mistral_ai"],
    "moonshotai": ["moonshot_ai"],
    "x-ai": ["x_ai", "xai"],
    "together": ["together_ai"],
    "fireworks": ["fireworks_ai"],
    "github-copilot": ["github_copilot"],
    "voyageai": ["voyage"],
    "zai": ["z_ai"],
}
# Hosts that serve the same models at the same prices and that the source does not name.
HOSTS = {
    "anthropic": ["aws-external-anthropic.*.api.aws", "claude.googleapis.com"],
    "aws": [
        "bedrock-runtime*.amazonaws.com.cn",
        "bedrock-runtime*.api.aws",
        "bedrock-mantle.*.api.aws",
        "*.bedrock-runtime*.vpce.amazonaws.com",
        "bedrock-runtime-fips.*.amazonaws.com",
    ],
    "azure": ["*.models.ai.azure.com"],
    "cohere": ["*.cohere.com"],
    "mistral": ["codestral.mistral.ai"],
    "openai": ["*.api.openai.com"],
    "together": ["api.together.ai"],
}
# Not a service of its own: another API of the host of another provider.
NO_HOSTS = {"openai-decisions"}
# Selects a price by something that a captured call shows.
CONTEXT_KEYS = {"service_tier", "processing", "speed"}
CONTEXT_KEYS_UNSEEN = {"route", "search_type"}
DIGIT = "#"
LIMIT = 64


def fail(what):
    sys.exit(f"snapshot.py: {what}: teach the script this before using the snapshot")


def expand(nodes, where):
    """Every text that a regular expression's nodes can stand for, with `#` for a digit and `*` for any run."""
    texts = [""]
    for op, arg in nodes:
        op = str(op)
        if op == "LITERAL":
            choices = [chr(arg)]
        elif op == "AT":
            continue
        elif op == "ANY":
            fail(f"a single wildcard in {where}")
        elif op == "IN" and [str(item[1]) for item in arg] == ["CATEGORY_DIGIT"]:
            choices = [DIGIT]
        elif op == "IN" and all(str(item[0]) == "LITERAL" for item in arg):
            choices = [chr(item[1]) for item in arg]
        elif op == "SUBPATTERN":
            choices = expand(arg[3], where)
        elif op == "BRANCH":
            choices = [text for branch in arg[1] for text in expand(branch, where)]
        elif op == "MAX_REPEAT":
            low, high, body = arg
            if str(high) == "MAXREPEAT" or int(high) > LIMIT:
                kinds = {str(node[0]) for node in body}
                if not kinds <= {"ANY", "IN", "NOT_LITERAL"}:
                    fail(f"an open repeat of {kinds} in {where}")
                choices = ["*"]
            else:
                choices = []
                for count in range(low, high + 1):
                    grown = [""]
                    for _ in range(count):
                        grown = [head + tail for head in grown for tail in expand(body, where)]
                    choices += grown
        else:
            fail(f"regular expression node {op} in {where}")
        texts = [head + tail for head in texts for tail in choices]
        if len(texts) > LIMIT:
            fail(f"too many readings of {where}")
    return texts


def regex_globs(pattern):
    """A regular expression as globs of which one must match, or as one negated glob list."""
    nodes = list(sre.parse(pattern))
    if not nodes or (str(nodes[0][0]), str(nodes[0][1])) != ("AT", "AT_BEGINNING"):
        fail(f"regular expression {pattern} is not anchored")
    nodes = nodes[1:]
    if nodes and str(nodes[0][0]) == "ASSERT_NOT":
        return negated(nodes, pattern)
    anchored = bool(nodes) and (str(nodes[-1][0]), str(nodes[-1][1])) == ("AT", "AT_END")
    return [text if anchored else text + "*" for text in expand(nodes, pattern)], None


def negated(nodes, pattern):
    """`^(?!.*X(?:$|Y))`: a text in which X at its end, or X followed by Y, does not occur."""
    if len(nodes) != 1:
        fail(f"more than one look-ahead in {pattern}")
    body = list(nodes[0][1][1])
    if not body or str(body[0][0]) != "MAX_REPEAT":
        fail(f"look-ahead in {pattern}")
    tail = body[-1]
    while str(tail[0]) == "SUBPATTERN" and len(tail[1][3]) == 1:
        tail = list(tail[1][3])[0]
    if str(tail[0]) != "BRANCH":
        fail(f"look-ahead in {pattern}")
    globs = []
    heads = {text.lower() for text in expand(body[1:-1], pattern)}
    for branch in tail[1][1]:
        ends = [(str(op), str(arg)) for op, arg in branch] == [("AT", "AT_END")]
        for head in sorted(heads):
            globs += [f"!*{head}"] if ends else [f"!*{head}{text}*" for text in expand(branch, pattern)]
    return None, globs


def plain(text):
    text = text.lower()
    if any(sign in text for sign in "*#") or text.startswith("!"):
        fail(f"a sign of our pattern language in {text!r}")
    return text


def rules(clause):
    """A match clause as a list of rules of which one must hold: a glob, or {"all": [globs]}."""
    if isinstance(clause, types.ClauseEquals):
        return [plain(clause.equals)]
    if isinstance(clause, types.ClauseStartsWith):
        return [plain(clause.starts_with) + "*"]
    if isinstance(clause, types.ClauseEndsWith):
        return ["*" + plain(clause.ends_with)]
    if isinstance(clause, types.ClauseContains):
        return ["*" + plain(clause.contains) + "*"]
    if isinstance(clause, types.ClauseOr):
        found = []
        for part in clause.or_:
            found += [rule for rule in rules(part) if rule not in found]
        return found
    if isinstance(clause, types.ClauseAnd):
        joined = []
        for part in clause.and_:
            found = rules(part)
            if len(found) != 1:
                fail(f"a choice inside a conjunction {clause}")
            joined += found[0]["all"] if isinstance(found[0], dict) else found
        return [{"all": joined}]
    if isinstance(clause, types.ClauseRegex):
        globs, none_of = regex_globs(clause.regex)
        return [glob.lower() for glob in globs] if none_of is None else [{"all": none_of}]
    fail(f"match clause {type(clause).__name__}")


def number(value):
    """A decimal as a JSON number that reads back to exactly the same decimal."""
    as_float = float(value)
    if Decimal(repr(as_float)) != value:
        fail(f"price {value} is no exact JSON number")
    return int(value) if value == value.to_integral_value() else as_float


def price(value):
    if isinstance(value, types.TieredPrices):
        tiers = [{"above": tier.start, "price": number(tier.price)} for tier in value.tiers]
        return {"base": number(value.base), "tiers": tiers}
    return number(value)


def prices(source, also):
    found = {}
    for key, value in source.__dict__.items():
        if value is None:
            continue
        if key == "input_audio_hours":
            # The same bill under another name.
            if value != source.__dict__.get("audio_hours"):
                fail("audio hours of two prices")
        elif key in ALSO:
            if ALSO[key] not in also:
                also.append(ALSO[key])
        elif key in ITEMS:
            found[ITEMS[key]] = price(value)
        else:
            fail(f"price key {key}")
    return {item: found[item] for item in ITEMS.values() if item in found}


def condition(constraint):
    if constraint is None:
        return {}
    if isinstance(constraint, types.StartDateConstraint):
        return {"from": constraint.start_date.isoformat()}
    if isinstance(constraint, types.TimeOfDateConstraint):
        times = []
        for time in (constraint.start_time, constraint.end_time):
            if time.tzinfo not in (None, UTC) and time.utcoffset():
                fail(f"a time of day outside UTC {time}")
            if time.second or time.microsecond:
                fail(f"a time of day with seconds {time}")
            times.append(time.strftime("%H:%M"))
        return {"utc": times}
    fail(f"condition {type(constraint).__name__}")


def whole(found, model):
    """Says in full what the source leaves to convention: free models, and outputs that are not billed."""
    comment = (model.price_comments or "").lower()
    if not found and (model.id.endswith(":free") or "free of charge" in comment):
        return {"input": 0, "output": 0}
    if "input" in found and "output" not in found:
        return {"input": found.pop("input"), **found, "output": 0}
    return found


def model_entry(model):
    also = []
    listed = model.prices if isinstance(model.prices, list) else [types.ConditionalPrice(prices=model.prices)]
    dated = [{**condition(entry.constraint), "prices": whole(prices(entry.prices, also), model)} for entry in listed]
    entry = {"id": model.id, "match": rules(model.match)}
    entry["prices"] = dated[0]["prices"] if len(dated) == 1 and len(dated[0]) == 1 else dated
    variants = []
    for variant in model.price_variants or []:
        keys = set(variant.when)
        if not keys <= CONTEXT_KEYS:
            if not keys <= CONTEXT_KEYS | CONTEXT_KEYS_UNSEEN:
                fail(f"price context {sorted(keys)} of {model.id}")
            continue
        variants.append({"when": variant.when, **condition(variant.constraint), "prices": prices(variant.prices, also)})
    if variants:
        entry["variants"] = variants
    if also:
        entry["also"] = also
    return entry


def hosts(provider):
    """The source's URL pattern as globs of host and, after a slash, path."""
    if provider.id in NO_HOSTS:
        return []
    found = []
    for text in expand(list(sre.parse(provider.api_pattern)), provider.api_pattern):
        text = text.split("://", 1)[-1]
        host, _, path = text.partition("/")
        host = host + "*" if host.endswith(".") else host
        path = path.rstrip("/")
        glob = f"{host}/{path}*" if path else host
        if glob not in found:
            found.append(glob)
    return found + [host for host in HOSTS.get(provider.id, []) if host not in found]


def line(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def main():
    version, date = sys.argv[1:]
    ids = {provider.id for provider in providers}
    for table in (NAMES, HOSTS):
        if set(table) - ids:
            fail(f"providers that the source no longer has: {sorted(set(table) - ids)}")
    print("{")
    print('"format": 1,')
    source = {
        "name": "genai-prices",
        "version": version,
        "url": "https://github.com/pydantic/genai-prices",
        "license": "MIT, Copyright (c) Pydantic Services Inc. 2025 to present",
    }
    print(f'"source": {line(source)},')
    print(f'"date": "{date}",')
    print('"providers": [')
    for index, provider in enumerate(providers):
        head = {"id": provider.id, "names": NAMES.get(provider.id, []), "hosts": hosts(provider)}
        if provider.fallback_model_providers:
            head["fallback"] = list(provider.fallback_model_providers)
        print(line(head)[:-1] + ',"models":[')
        print(",\n".join(line(model_entry(model)) for model in provider.models))
        print("]}," if index + 1 < len(providers) else "]}")
    print("]")
    print("}")


if __name__ == "__main__":
    main()
