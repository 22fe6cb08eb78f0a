"""One agent calls another: each is a trace of its own, and the inner one knows its parent."""

from openai import OpenAI

from infinium import InfiniumClient
from infinium.integrations import watch

client = InfiniumClient()
openai = watch(OpenAI())


@client.trace("Outer Agent")
def outer() -> str:
    # This creates one trace
    result = inner("sub-task data")
    return result


@client.trace("Inner Agent")
def inner(data: str) -> str:
    # This creates a separate trace
    resp = openai.chat.completions.create(
        model="gpt-4o",
        messages=[{"role": "user", "content": data}],
    )
    return resp.choices[0].message.content or ""


def main() -> None:
    print(outer())
    client.close()


if __name__ == "__main__":
    main()
