#!/usr/bin/env python3
"""Writes data/prices.json, the receiver's price table, from the figures of the package genai-prices (PyPI, MIT).

    python3 -m venv /tmp/prices && /tmp/prices/bin/pip install genai-prices
    /tmp/prices/bin/python scripts/update_prices.py data/prices.json

Only figures and model names are taken. The format is ours; docs/cost.md describes it. Standard prices alone: no batch
or priority tiers, no audio, images or searches.
"""

import datetime
import json
import re
import sys
from importlib.metadata import version

from genai_prices.data import providers

# Their name -> (the names that traces give, model names that are this provider's own where no provider is given).
# The provider whose prices also count for another: "also".
PROVIDERS = {
    "anthropic": (["anthropic"], ["claude*"]),
    "arcee": (["arcee"], []),
    "aws": (["aws", "aws.bedrock", "bedrock", "amazon", "amazon_bedrock", "bedrock_converse"], []),
    "azure": (["azure", "azure.ai.openai", "az.ai.openai", "azure.ai.inference", "az.ai.inference", "azure_ai", "azure_openai"], []),
    "baseten": (["baseten"], []),
    "cerebras": (["cerebras"], []),
    "cloudflare": (["cloudflare", "workers_ai"], ["@cf/*"]),
    "cohere": (["cohere", "cohere_chat"], ["command*", "c4ai-*"]),
    "databricks": (["databricks"], ["databricks-*"]),
    "deepseek": (["deepseek"], ["deepseek-*"]),
    "fireworks": (["fireworks", "fireworks_ai"], ["accounts/fireworks/*"]),
    "google": (
        ["google", "gemini", "google_genai", "google_ai", "google_vertex", "gcp.gemini", "gcp.vertex_ai", "gcp.gen_ai",
         "vertex", "vertex_ai", "vertexai"],
        ["gemini*"],
    ),
    "groq": (["groq"], []),
    "minimax": (["minimax"], ["minimax-*"]),
    "mistral": (["mistral", "mistral_ai", "mistralai"], ["mistral-*", "codestral*", "devstral*", "magistral*", "ministral*",
                                                        "open-mistral*", "open-mixtral*", "pixtral*"]),
    "moonshotai": (["moonshot", "moonshotai", "moonshot_ai", "kimi"], ["kimi*", "moonshot-*"]),
    "novita": (["novita", "novita_ai"], []),
    "openai": (["openai", "openai_chat", "openai_responses"],
               ["gpt-*", "chatgpt-*", "o1*", "o3*", "o4*", "text-embedding-3*", "text-embedding-ada*"]),
    "openrouter": (["openrouter", "open_router"], []),
    "ovhcloud": (["ovhcloud"], []),
    "perplexity": (["perplexity", "perplexity_ai"], ["sonar*"]),
    "together": (["together", "together_ai", "togetherai"], []),
    "voyageai": (["voyage", "voyageai", "voyage_ai"], ["voyage-*"]),
    "x-ai": (["xai", "x_ai", "x-ai", "grok"], ["grok*"]),
    "zai": (["zai", "z-ai", "z_ai", "zhipuai", "zhipu", "zhipu_ai"], ["glm-*"]),
}
ALSO = {"azure": ["openai", "anthropic", "deepseek", "x-ai", "moonshotai"], "google": ["anthropic"]}

# Our member <- their price, US dollars for a million tokens.
PRICES = [
    ("in", "input_mtok"),
    ("cached", "cache_read_mtok"),
    ("write", "cache_write_mtok"),
    ("out", "output_mtok"),
    ("reasoning", "output_reasoning_mtok"),
]


def number(value):
    whole = float(value)
    return int(whole) if whole == int(whole) else whole


def price(theirs):
    """One set of prices; {} when it is not priced by tokens."""
    ours, steps = {}, {}
    for name, key in PRICES:
        value = getattr(theirs, key)
        if value is None:
            continue
        if hasattr(value, "tiers"):
            ours[name] = number(value.base)
            for tier in value.tiers:
                steps.setdefault(tier.start, {})[name] = number(tier.price)
        else:
            ours[name] = number(value)
    if theirs.requests_kcount is not None and ours:
        ours["call"] = number(theirs.requests_kcount / 1000)
    if steps:
        ours["over"] = [{"tokens": start, **steps[start]} for start in sorted(steps)]
    return ours


def prices(model):
    if not isinstance(model.prices, list):
        one = price(model.prices)
        return [one] if one else []
    out = []
    for conditional in model.prices:
        ours = price(conditional.prices)
        if not ours:
            continue
        rule = conditional.constraint
        if hasattr(rule, "start_date"):
            ours = {"since": rule.start_date.isoformat(), **ours}
        elif hasattr(rule, "start_time"):
            ours = {"hours": [f"{t:%H:%M}" for t in (rule.start_time, rule.end_time)], **ours}
        elif rule is not None:
            raise SystemExit(f"{model.id}: a condition that this script does not know: {rule!r}")
        out.append(ours)
    return out


def patterns(rule, model):
    kind = type(rule).__name__.removeprefix("Clause")
    if kind == "Or":
        return [p for part in rule.or_ for p in patterns(part, model)]
    if kind == "And":
        # What narrows is about speech models, which have longer names of their own: the longest name wins with us.
        return patterns(rule.and_[0], model)
    (text,) = vars(rule).values()
    if kind == "Regex":
        if re.fullmatch(r"\^[^|*+?]*(\[-@\]|-)\\d\{[48]\}(-\\d\{2\}-\\d\{2\})?\$", text):
            return []  # a date at the end: the receiver takes such off by itself
        if match := re.fullmatch(r"\^([\w\\./-]+)-\\d", text):
            return [match[1].replace("\\", "").lower() + "-#*"]
        raise SystemExit(f"{model}: a pattern that this script does not know: {text}")
    text = text.lower()
    if re.search(r"[*#]", text):
        raise SystemExit(f"{model}: {text} has a character that means something to us")
    shapes = {"Equals": text, "StartsWith": text + "*", "EndsWith": "*" + text, "Contains": f"*{text}*"}
    return [shapes[kind]]


def models(provider):
    out = []
    for model in provider.models:
        ours = prices(model)
        if not ours:
            continue
        names = sorted({model.id.lower(), *patterns(model.match, model.id)})
        out.append({"names": names, "prices": ours})
    return out


def main(path):
    known = {p.id: p for p in providers}
    missing = set(PROVIDERS) - set(known)
    if missing:
        raise SystemExit(f"providers that are gone: {sorted(missing)}")
    head = {
        "format": 1,
        "source": {
            "package": "genai-prices",
            "version": version("genai-prices"),
            "index": "PyPI",
            "licence": "MIT",
            "taken": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        },
        "unit": "US dollars for a million tokens; call: US dollars for one call",
    }
    count = 0
    with open(path, "w", encoding="utf-8") as out:
        lines = json.dumps(head, indent=1).rstrip("}\n")
        out.write(lines + ',\n "providers": [\n')
        for position, name in enumerate(PROVIDERS):
            names, own = PROVIDERS[name]
            rows = models(known[name])
            count += len(rows)
            entry = {"id": name, "names": names, "models_of_its_own": own, "also": ALSO.get(name, [])}
            out.write(json.dumps(entry).rstrip("}") + ', "models": [\n')
            out.write(",\n".join(json.dumps(row, separators=(",", ":")) for row in rows))
            out.write("\n ]}" + ("," if position + 1 < len(PROVIDERS) else "") + "\n")
        out.write("]}\n")
    with open(path, encoding="utf-8") as again:
        json.load(again)
    print(f"{count} models of {len(PROVIDERS)} providers, genai-prices {version('genai-prices')}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
