"""Why a server cannot be talked to, in words for the model and for people."""

from ....errors import RetryableError


class ServerLost(RetryableError):
    """Raised when an MCP server is not there, has gone, or was cut off; the message names it and says why."""

    def __init__(self, message: str, *, asked: bool = False) -> None:
        super().__init__(message)
        self.asked = asked
        """It had been asked: whether it did what was asked is not known."""
