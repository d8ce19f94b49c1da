"""Prints test cases for wirespan's prices: usages of our own making, and what genai-prices says that they cost.

Run by `cargo xtask prices` in the same virtual environment as snapshot.py. The usages come from a seeded generator, so
the same version of the package always gives the same bytes.

usage: cases.py VERSION
"""

import json
import random
import sys
import warnings
from datetime import UTC, date, datetime, time, timedelta

from genai_prices import Usage, types
from genai_prices.data import providers
from genai_prices.data_snapshot import get_snapshot

# How many models of each provider with and without dates, tiers or variants; those that price
# audio, images or reasoning are all taken, three times.
SPECIAL = 12
ORDINARY = 6
FIRST = date(2023, 1, 2)
LAST = date(2027, 1, 4)

# Our names of a usage's counts and genai-prices' names.
COUNTS = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cache_read": "cache_read_tokens",
    "cache_write": "cache_write_tokens",
    "cache_write_5m": "cache_write_5m_tokens",
    "cache_write_1h": "cache_write_1h_tokens",
    "audio_input": "input_audio_tokens",
    "audio_cache_read": "cache_audio_read_tokens",
    "audio_output": "output_audio_tokens",
    "image_input": "input_image_tokens",
    "image_output": "output_image_tokens",
    "reasoning": "output_reasoning_tokens",
    "web_searches": "web_searches",
}


def listed(model):
    return model.prices if isinstance(model.prices, list) else [types.ConditionalPrice(prices=model.prices)]


def is_special(model):
    prices = [pair for entry in listed(model) for pair in entry.prices.__dict__.items()]
    return (
        len(listed(model)) > 1
        or bool(model.price_variants)
        or any(isinstance(price, types.TieredPrices) for _, price in prices)
    )


def has_media(model):
    return any("audio" in key or "image" in key or "reasoning" in key for key in listed(model)[0].prices.__dict__)


def usage(rng, priced):
    """A usage whose subsets fit into their wholes; which of them it has depends on what the model prices."""
    total = rng.choice([rng.randint(0, 9), rng.randint(1, 3_000), rng.randint(3_000, 190_000), rng.randint(200_001, 900_000)])
    left = total

    def part(share):
        nonlocal left
        count = rng.randint(0, max(0, int(left * share)))
        left -= count
        return count

    found = {"input": total}
    media = any(key in priced for key in ("input_audio_mtok", "input_image_mtok"))
    kind = rng.choice(["plain", "cache", "media", "media"] if media else ["plain", "cache"])
    if kind == "cache":
        found["cache_read"] = part(0.7)
        if rng.random() < 0.5:
            found["cache_write"] = part(0.7)
            if "cache_write_1h_mtok" in priced and rng.random() < 0.7:
                found["cache_write_1h"] = rng.randint(0, found["cache_write"])
                found["cache_write_5m"] = found["cache_write"] - found["cache_write_1h"]
    elif kind == "media":
        if "input_audio_mtok" in priced:
            found["audio_input"] = part(0.8)
            if rng.random() < 0.5:
                found["cache_read"] = part(0.5)
                found["audio_cache_read"] = rng.randint(0, min(found["audio_input"], found["cache_read"]))
        elif "input_image_mtok" in priced:
            found["image_input"] = part(0.8)
    answer = rng.choice([0, rng.randint(1, 500), rng.randint(500, 60_000)])
    found["output"] = answer
    if "output_audio_mtok" in priced and rng.random() < 0.5:
        found["audio_output"] = rng.randint(0, answer)
    elif "output_image_mtok" in priced and rng.random() < 0.5:
        found["image_output"] = rng.randint(0, answer)
    elif rng.random() < 0.4 or "output_reasoning_mtok" in priced:
        found["reasoning"] = rng.randint(0, answer)
    if "web_searches_kcount" in priced and rng.random() < 0.3:
        found["web_searches"] = rng.randint(1, 9)
    return found


def moments(rng, model):
    """Times on both sides of each change of price, and one at random."""
    found = [datetime.combine(FIRST + timedelta(days=rng.randint(0, (LAST - FIRST).days)), time(12), UTC)]
    constraints = [entry.constraint for entry in listed(model)]
    for constraint in constraints:
        if isinstance(constraint, types.StartDateConstraint):
            start = datetime.combine(constraint.start_date, time(0), UTC)
            found += [start - timedelta(seconds=1), start]
        elif isinstance(constraint, types.TimeOfDateConstraint):
            day = date(2026, 3, 3)
            for edge in (constraint.start_time, constraint.end_time):
                at = datetime.combine(day, edge.replace(tzinfo=None), UTC)
                found += [at - timedelta(seconds=1), at]
    return found


def contexts(model):
    """(our tier, their context, first time at which it holds)."""
    found = [(None, None, None)]
    for variant in model.price_variants or []:
        ((key, value),) = variant.when.items()
        if key in ("service_tier", "processing", "speed") and value != "default":
            since = variant.constraint and datetime.combine(variant.constraint.start_date, time(0), UTC)
            found.append((value, variant.when, since))
    return found


def main():
    (version,) = sys.argv[1:]
    warnings.simplefilter("error")
    rng = random.Random("wirespan")
    cases = []
    for provider in providers:
        usable = [
            model
            for model in provider.models
            if all("input_mtok" in entry.prices.__dict__ for entry in listed(model))
            and provider.find_model(model.id, all_providers=None) is model
        ]
        special = [model for model in usable if is_special(model)]
        ordinary = [model for model in usable if not is_special(model)]
        media = [model for model in usable if has_media(model)]
        chosen = [model for model in media for _ in range(3)]
        chosen += rng.sample(special, min(SPECIAL, len(special))) + rng.sample(ordinary, min(ORDINARY, len(ordinary)))
        for model in chosen:
            for tier, context, since in contexts(model):
                times = [since] if since else moments(rng, model)[: 3 if context is None else 1]
                for at in times:
                    priced = model.get_prices(at, context).__dict__
                    counts = usage(rng, priced)
                    try:
                        result = get_snapshot().calc(
                            Usage(**{COUNTS[name]: count for name, count in counts.items()}),
                            model.id, provider.id, None, at, context,
                        )
                    except ValueError:
                        continue
                    case = {"provider": provider.id, "model": model.id, "at": int(at.timestamp())}
                    if tier:
                        case["tier"] = tier
                    cases.append({**case, "usage": counts, "usd": format(result.total_price.normalize(), "f")})
    print("{")
    print(f'"source": "genai-prices {version}",')
    print('"cases": [')
    print(",\n".join(json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in cases))
    print("]")
    print("}")


if __name__ == "__main__":
    main()
