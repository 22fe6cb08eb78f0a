"""The client for synchronous programs (decorated coroutine functions work with it as well)."""

from ._api import SyncApi
from ._base import CLOSE_TIMEOUT, BaseClient
from .exceptions import InfiniumError


class InfiniumClient(BaseClient, SyncApi):
    """Traces functions of one agent. Credentials and URL come from the arguments, or else from INFINIUM_AGENT_ID,
    INFINIUM_AGENT_SECRET and INFINIUM_BASE_URL. Raises ValidationError, with `field`, when they cannot be right."""

    def flush(self, timeout=None):
        """Waits until every trace that has ended is delivered, at most `timeout` seconds (None: 30). Other threads run
        meanwhile. Returns a FlushResult, whether or not all was delivered in time."""
        return self._flush(timeout)

    def close(self, timeout=CLOSE_TIMEOUT):
        """Takes no more traces, flushes for at most `timeout` seconds and gives everything back. What is not delivered
        stays in the journal for the agent's next client. Decorated functions go on working, untraced."""
        return self._close(timeout)

    def _request(self, *arguments):
        if self._core.closed:
            raise InfiniumError("the client is closed")
        return super()._request(*arguments)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()
