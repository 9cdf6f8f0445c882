"""Where this border writes its log, and how uvicorn's records get there: quieter, and without tracebacks."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LOG = logging.getLogger("forehearth.http")


def report(error: BaseException, what: str) -> None:
    """Say that `what` went wrong. The error's text may hold what a caller sent, so only its kind and place are told."""
    place = ""
    trace = error.__traceback__
    while trace is not None:
        place = f" at {trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"
        trace = trace.tb_next
    LOG.error("%s: %s%s", what, type(error).__name__, place)
    if LOG.isEnabledFor(logging.DEBUG):
        LOG.debug("%s", what, exc_info=error)


class Terse(logging.LoggerAdapter[logging.Logger]):
    """The logger that uvicorn's parts are given: an error is told by `report`, the rest at level debug."""

    def __init__(self) -> None:
        super().__init__(LOG, {})

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Pass on a record."""
        error = kwargs.get("exc_info")
        if isinstance(error, asyncio.CancelledError):
            return
        if isinstance(error, BaseException):
            report(error, str(msg).strip())
        else:
            LOG.log(level if level > logging.INFO else logging.DEBUG, msg, *args)


terse = Terse()


class _Forward(logging.Handler):
    """Hands uvicorn's records to our logger."""

    def emit(self, record: logging.LogRecord) -> None:
        level = record.levelno if record.levelno > logging.INFO else logging.DEBUG
        if record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError):
            level = logging.DEBUG
        if LOG.isEnabledFor(level):
            exc_info = record.exc_info if LOG.isEnabledFor(logging.DEBUG) else None
            LOG.log(level, record.getMessage(), exc_info=exc_info)


@contextmanager
def uvicorn_quietened() -> Iterator[None]:
    """While it lasts, what uvicorn logs by itself goes to our logger and nowhere else."""
    noise = logging.getLogger("uvicorn")
    forward = _Forward()
    propagated, noise.propagate = noise.propagate, False
    level = noise.level
    noise.setLevel(logging.INFO)
    noise.addHandler(forward)
    try:
        yield
    finally:
        noise.removeHandler(forward)
        noise.propagate = propagated
        noise.setLevel(level)
