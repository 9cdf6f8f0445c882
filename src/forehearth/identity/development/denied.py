"""Why no token is given, in the words and numbers that clients of Entra ID know."""

from http import HTTPStatus


class Denied(Exception):
    """No token. `error` and `code` are Entra's; the message is fit for the caller and has nothing secret in it."""

    def __init__(self, error: str, code: int, message: str, *, status: int = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(message)
        self.error = error
        self.code = code
        """As in `AADSTS70011`."""
        self.message = message
        self.status = int(status)


def missing(name: str) -> Denied:
    """A parameter that is needed was not sent."""
    return Denied("invalid_request", 900144, f"The request must contain the following parameter: '{name}'.")


def malformed(message: str, *, status: int = HTTPStatus.BAD_REQUEST) -> Denied:
    """The request is not of the form that is read here."""
    return Denied("invalid_request", 9002313, message, status=status)
