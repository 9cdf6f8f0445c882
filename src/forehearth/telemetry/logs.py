"""Logging, set up once per process: text for people or JSON for machines, without secrets, one line a record.

A record's own members of `extra` become fields; the request's id is the field `request_id`:

    log.warning("The backend did not answer.", extra={"request_id": call.request_id, "backend": name})

An exception shows as its class and message. Its traceback is written at level `debug` alone.
"""

import contextlib
import json
import logging
import math
import traceback
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final, TextIO

from forehearth.core.settings import LogSettings
from forehearth.telemetry.redaction import MASK, Redactor, names_credential

LONGEST: Final = 16_384
"""Characters of one text in a record; more is cut."""

_LONGEST_READ: Final = 4 * LONGEST
_NOT_TRUSTED: Final = 4_096
_DEEPEST_CAUSE: Final = 5
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_ADDED: Final = frozenset({"error", "traceback"})
_FIRST: Final = ("time", "level", "logger", "message")


class RedactionFilter(logging.Filter):
    """Leaves nothing in a record that may not be written: not in the message, its arguments, the fields or the error.

    The record itself is changed, so that no other handler sees more.
    """

    def __init__(self, redactor: Redactor, *, tracebacks: bool) -> None:
        super().__init__()
        self._redactor = redactor
        self._tracebacks = tracebacks

    def filter(self, record: logging.LogRecord) -> bool:
        """Clean the record; it is always let through."""
        record.msg, record.args = self._clean(_message(record)), None
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            record.error = self._clean(_in_words(error))
            if self._tracebacks:
                record.traceback = self._clean("".join(traceback.format_exception(error)).rstrip())
        record.exc_info = record.exc_text = record.stack_info = None
        for name, value in _fields(record).items():
            setattr(record, name, MASK if names_credential(name) else self._value(value))
        return True

    def _value(self, value: object) -> object:
        if value is None or isinstance(value, bool | int):
            return value
        if isinstance(value, float) and math.isfinite(value):
            return value
        return self._clean(_shown(value))

    def _clean(self, text: str) -> str:
        clean = self._redactor.redact(text[:_LONGEST_READ])
        # Where the text was cut, half a secret may stand that was not recognised.
        kept = min(LONGEST, len(clean) - (_NOT_TRUSTED if len(text) > _LONGEST_READ else 0))
        return clean if kept >= len(clean) else f"{clean[:kept]}… (shortened)"


class TextFormatter(logging.Formatter):
    """One line for people: UTC time, level, logger, message, fields. A traceback follows, each line marked with `|`."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record that the filter has cleaned."""
        head = f"{_time(record)} {record.levelname:<8} {_one_line(record.name)}: {_one_line(str(record.msg))}"
        fields = _fields(record)
        said = [f"{_one_line(name)}={_field_text(value)}" for name, value in fields.items() if name not in _ADDED]
        line = "  ".join([head, " ".join(said)]) if said else head
        if "error" in fields:
            line = f"{line}  ({_one_line(str(fields['error']))})"
        lines = [f"    | {_one_line(each)}" for each in str(fields.get("traceback", "")).splitlines()]
        return "\n".join([line, *lines])


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `time`, `level`, `logger`, `message`, then the fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record that the filter has cleaned."""
        values = (_time(record), record.levelname.lower(), record.name, str(record.msg))
        written: dict[str, object] = dict(zip(_FIRST, values, strict=True))
        for name, value in _fields(record).items():
            written[f"{name}_" if name in _FIRST else name] = value
        return json.dumps(written)


class LogHandler(logging.StreamHandler[TextIO]):
    """Writes to a stream. What cannot be written is given up: logging never fails a call and never shows arguments."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record, in ASCII where the stream takes no more."""
        try:
            line = self.format(record) + self.terminator
            try:
                self.stream.write(line)
            except UnicodeEncodeError:
                self.stream.write(line.encode("ascii", "backslashreplace").decode())
            self.flush()
        except (OSError, ValueError):
            # A closed pipe or a full disk; there is no place left to say so.
            return


@contextlib.contextmanager
def logging_as(settings: LogSettings, *, redactor: Redactor, stream: TextIO) -> Iterator[None]:
    """Log to `stream` in the configured form, in the whole process, until the context ends. Warnings are logged too."""
    handler = LogHandler(stream)
    handler.setFormatter(JsonFormatter() if settings.format == "json" else TextFormatter())
    handler.addFilter(RedactionFilter(redactor, tracebacks=settings.level == "debug"))
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    logging.captureWarnings(capture=True)
    try:
        yield
    finally:
        logging.captureWarnings(capture=False)
        root.handlers[:] = handlers
        root.setLevel(level)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:  # noqa: BLE001 - the border of logging: arguments' own code runs here
        return f"{record.msg if isinstance(record.msg, str) else '?'} (its arguments: {type(error).__name__})"


def _shown(value: object) -> str:
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001 - the border of logging: the value's own code runs here
        return f"? ({type(error).__name__})"


def _in_words(error: BaseException) -> str:
    """An exception and what caused it: class and message each."""
    words: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(words) < _DEEPEST_CAUSE:
        message = _shown(cause)
        words.append(f"{type(cause).__qualname__}: {message}" if message else type(cause).__qualname__)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return ", caused by ".join(words)


def _fields(record: logging.LogRecord) -> Mapping[str, object]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def _one_line(text: str) -> str:
    """Text that stays on its line and cannot steer a terminal: what is not printable is escaped."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _field_text(value: object) -> str:
    text = _one_line(str(value))
    return text if text and not set(text) & set(' "=') else json.dumps(text, ensure_ascii=False)
