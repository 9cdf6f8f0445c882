"""A refusal, or no answer at all, as a command says it: what it means and what to do."""

from forehearth.cli.output import CommandFailed
from forehearth.connectors import remedies
from forehearth.connectors.said import error_of
from forehearth.core.errors import Failed


def refused(status: int, body: bytes, about: remedies.Circumstances) -> CommandFailed:
    """What a refusal means, with the server's own message before it."""
    code, message = error_of(body)
    found = remedies.of_status(status, code, message, about)
    said = f": {message.strip().removesuffix('.')}" if message else ""
    return CommandFailed(f"{status}{said}", f"{found.cause} {found.remedy}")


def unreachable(error: Failed, origin: str) -> CommandFailed:
    """What it means that there is no answer."""
    found = remedies.of_failure(error, origin)
    return CommandFailed(f"{origin} does not answer", f"{found.cause} {found.remedy}")
