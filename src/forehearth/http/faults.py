"""What is wrong with a request before anybody can say which surface it is for, and the answer that says so."""

import msgspec

from forehearth.core.exchange import Reply

BAD_REQUEST = 400
REQUEST_TIMEOUT = 408
BODY_TOO_LARGE = 413
URL_TOO_LONG = 414
EXPECTATION_FAILED = 417
HEAD_TOO_LARGE = 431
INTERNAL_ERROR = 500
UNAVAILABLE = 503


class Malformed(Exception):
    """A request that is refused for its form. `message` names the fault and the remedy, and repeats no input."""

    def __init__(self, code: str, message: str, *, status: int = BAD_REQUEST) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status

    def reply(self) -> Reply:
        """The answer in JSON."""
        return explain(self.status, self.code, self.message)


def explain(status: int, code: str, message: str) -> Reply:
    """An answer of this border's own: `{"error": {"code": …, "message": …}}`."""
    body = msgspec.json.encode({"error": {"code": code, "message": message}})
    return Reply(status=status, headers=((b"content-type", b"application/json"),), body=body)


def internal_error() -> Reply:
    """The answer when something of ours raised what it never should. What it was is in the log."""
    return explain(INTERNAL_ERROR, "internal_error", "The server failed to answer this request. Its log says more.")
