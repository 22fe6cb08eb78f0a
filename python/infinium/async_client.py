"""The client for asyncio programs (decorated plain functions work with it as well)."""

from ._api import AsyncApi
from ._base import CLOSE_TIMEOUT, BaseClient


async def _in_thread(function, *args):
    """On a thread of its own, not the loop's pool: that one may be full of the program's work."""
    import asyncio
    import threading

    loop = asyncio.get_running_loop()
    future = loop.create_future()

    def settle(result, error):
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def run():
        result = error = None
        try:
            result = function(*args)
        except BaseException as e:
            error = e
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:  # the loop is closed: nobody waits any more
            pass

    threading.Thread(target=run, name="infinium-wait", daemon=True).start()
    return await future


class AsyncInfiniumClient(BaseClient, AsyncApi):
    """Traces functions of one agent. Credentials and URL come from the arguments, or else from INFINIUM_AGENT_ID,
    INFINIUM_AGENT_SECRET and INFINIUM_BASE_URL. Raises ValidationError, with `field`, when they cannot be right."""

    async def flush(self, timeout=None):
        """Waits until every trace that has ended is delivered, at most `timeout` seconds (None: 30), without blocking
        the event loop. Returns a FlushResult, whether or not all was delivered in time."""
        return await _in_thread(self._flush, timeout)

    async def close(self, timeout=CLOSE_TIMEOUT):
        """Takes no more traces, flushes for at most `timeout` seconds and gives everything back. What is not delivered
        stays in the journal for the agent's next client. Decorated functions go on working, untraced."""
        return await _in_thread(self._close, timeout)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *error):
        await self.close()
