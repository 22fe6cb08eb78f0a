"""A function that raises: the trace carries the error, the exception reaches the caller unchanged."""

from infinium import InfiniumClient

client = InfiniumClient()


@client.trace("Risky Operation")
def do_something() -> None:
    raise ValueError("something went wrong")


def main() -> None:
    try:
        do_something()
    except ValueError as error:
        # The trace was already sent with the error recorded
        print("caught:", error)
    client.close()


if __name__ == "__main__":
    main()
