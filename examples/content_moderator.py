"""A content moderator on the async client, with the stand-alone decorator. Environment: see email_classifier.py."""

import asyncio

from openai import AsyncOpenAI

from infinium import AsyncInfiniumClient, async_trace_agent
from infinium.integrations import watch

client = AsyncInfiniumClient()
async_openai = watch(AsyncOpenAI())


@async_trace_agent("Content Moderator", client)
async def moderate(content: str) -> str:
    resp = await async_openai.chat.completions.create(
        model="gpt-4o",
        max_tokens=256,
        messages=[{"role": "user", "content": f"Moderate this: {content}"}],
    )
    return resp.choices[0].message.content or ""


async def main() -> None:
    for content in ("Have a nice day!", "Buy now, only today, click here"):
        print(await moderate(content))
    await client.close()


if __name__ == "__main__":
    asyncio.run(main())
