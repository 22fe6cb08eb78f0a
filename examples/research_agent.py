"""A research agent: watch() records both language-model calls in the trace. Environment: see email_classifier.py."""

import time
from typing import Any, Dict, List

from openai import OpenAI

from infinium import InfiniumClient
from infinium.integrations import watch

client = InfiniumClient()
openai = watch(OpenAI())


def search_database(query: str) -> List[Dict[str, Any]]:
    time.sleep(0.02)  # as long as an index would take
    return [
        {"title": "Agents that use tools", "year": 2025, "query": query},
        {"title": "Small models on devices", "year": 2026, "query": query},
    ]


@client.trace("Research Agent")
def research(query: str) -> str:
    # Step 1: Search (not an LLM call, not captured)
    results = search_database(query)

    # Step 2: Analyze with LLM (auto-captured by watch())
    resp = openai.chat.completions.create(
        model="gpt-4o",
        messages=[
            {"role": "system", "content": "Analyze these results."},
            {"role": "user", "content": str(results)},
        ],
    )
    analysis = resp.choices[0].message.content or ""

    # Step 3: Summarize with LLM (also auto-captured)
    resp = openai.chat.completions.create(
        model="gpt-4o",
        messages=[
            {"role": "system", "content": "Summarize this analysis."},
            {"role": "user", "content": analysis},
        ],
    )
    return resp.choices[0].message.content or ""


def main() -> None:
    # The trace includes both LLM calls with tokens, latency, and model info
    result = research("What are the latest trends in AI?")
    print(result)
    client.close()


if __name__ == "__main__":
    main()
