"""Traced functions that other processes import, or inherit."""

import infinium

client = infinium.InfiniumClient(enable_rate_limiting=False)


@client.trace("job")
def square(number):
    return number * number


def square_and_flush(number):
    result = square(number)
    assert client.flush(20).pending == 0
    return result
