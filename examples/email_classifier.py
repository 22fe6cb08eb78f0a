"""An email classifier, sync and async: one decorator, and every call is a trace with its language-model call in it.

Needs INFINIUM_AGENT_ID, INFINIUM_AGENT_SECRET and INFINIUM_BASE_URL (`infinium demo` sets them) and OPENAI_API_KEY
(examples/run_all.py puts a scripted server in its place when there is none).
"""

import asyncio
import json
from typing import Any, Dict, List

from openai import AsyncOpenAI, OpenAI

from infinium import InfiniumClient
from infinium.integrations import watch

client = InfiniumClient()
openai = watch(OpenAI())
async_openai = watch(AsyncOpenAI())


@client.trace("Email Classifier")
def classify_email(email_body: str) -> Dict[str, Any]:
    resp = openai.chat.completions.create(
        model="gpt-4o",
        messages=[
            {"role": "system", "content": "Classify this email. Return JSON."},
            {"role": "user", "content": email_body},
        ],
        response_format={"type": "json_object"},
    )
    label: Dict[str, Any] = json.loads(resp.choices[0].message.content or "{}")
    return label


# Works on async functions too
@client.trace("Async Classifier")
async def classify_async(email_body: str) -> Dict[str, Any]:
    resp = await async_openai.chat.completions.create(
        model="gpt-4o",
        messages=[
            {"role": "system", "content": "Classify this email. Return JSON."},
            {"role": "user", "content": email_body},
        ],
        response_format={"type": "json_object"},
    )
    label: Dict[str, Any] = json.loads(resp.choices[0].message.content or "{}")
    return label


async def classify_all(emails: List[str]) -> List[Dict[str, Any]]:
    return await asyncio.gather(*(classify_async(email) for email in emails))


EMAILS = [
    "I was charged twice this month, please refund one payment.",
    "The app crashes when I open the settings.",
    "Could we have a demo for twelve people next week?",
]


def main() -> None:
    for email in EMAILS:
        print(classify_email(email))
    for label in asyncio.run(classify_all(EMAILS)):
        print(label)
    client.close()


if __name__ == "__main__":
    main()
