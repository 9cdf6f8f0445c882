"""What reaches the log: one line a record, with its fields, without secrets, and without tracebacks above debug."""

import io
import json
import logging
import re
import sys
import warnings

import pytest

from forehearth.core.secret import Secret
from forehearth.core.settings import LogSettings
from forehearth.telemetry.logs import LONGEST, LogHandler, RedactionFilter, TextFormatter, logging_as
from forehearth.telemetry.redaction import MASK, Redactor
from tests.unit.dice import by_dice, some_text

CANARY = "canary-5f0e-value"
STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"

log = logging.getLogger("forehearth.test")


def logged(write, **members):
    """What `write()` logs under these settings."""
    stream = io.StringIO()
    with logging_as(LogSettings(**members), redactor=Redactor([Secret(CANARY)]), stream=stream):
        write()
    return stream.getvalue()


def test_a_line_for_people():
    text = logged(lambda: log.info("Listening on %s.", "127.0.0.1", extra={"request_id": "r-1", "why": "a b", "n": 3}))
    assert re.fullmatch(
        STAMP + r' INFO     forehearth\.test: Listening on 127\.0\.0\.1\.  request_id=r-1 why="a b" n=3\n', text
    )


def test_an_object_for_machines():
    line = logged(
        lambda: log.warning("Slow.", extra={"request_id": "r-1", "seconds": 1.5, "level": "x"}), format="json"
    )
    record = json.loads(line)
    assert re.fullmatch(STAMP, record.pop("time"))
    assert record == {
        "level": "warning",
        "logger": "forehearth.test",
        "message": "Slow.",
        "request_id": "r-1",
        "seconds": 1.5,
        "level_": "x",
    }


@pytest.mark.parametrize(("level", "count"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_the_level_is_the_least_that_is_written(level, count):
    def write():
        for each in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
            log.log(each, "one")

    assert logged(write, level=level).count("forehearth.test: one") == count


class Leaky:
    """Shows a secret wherever it is shown."""

    def __str__(self):
        return f"Leaky({CANARY})"

    __repr__ = __str__


def unreachable():
    raise OSError(f"cannot reach http://u:{CANARY}@host")


def failing():
    try:
        unreachable()
    except OSError as error:
        raise ValueError(f"bad key {CANARY}") from error


def with_error():
    try:
        failing()
    except ValueError:
        log.exception("It broke: %s", CANARY)


LEAKS = {
    "message": lambda: log.error(f"key {CANARY}"),  # noqa: G004 - as careless code does
    "argument": lambda: log.error("key %s", CANARY),
    "argument of a type of its own": lambda: log.error("key %r", Leaky()),
    "arguments by name": lambda: log.error("key %(k)s", {"k": CANARY}),
    "message that is no text": lambda: log.error(Leaky()),
    "field": lambda: log.error("see", extra={"url": f"http://h/?k={CANARY}"}),
    "field of a type of its own": lambda: log.error("see", extra={"what": Leaky()}),
    "field with a telling name": lambda: log.error("see", extra={"api_key": f"another-{CANARY[::-1]}"}),
    "list in a field": lambda: log.error("see", extra={"what": [CANARY, {"a": CANARY}]}),
    "error": with_error,
    "wrong arguments": lambda: log.error("key %d %s", *[CANARY]),
    "stack": lambda: log.error("see", stack_info=True),
}


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("level", ["debug", "info"])
@pytest.mark.parametrize("write", LEAKS.values(), ids=LEAKS)
def test_a_canary_is_never_written(write, level, form, capsys):
    text = logged(write, level=level, format=form)
    assert text.count("\n") >= 1
    printed = capsys.readouterr()
    for each in (text, printed.out, printed.err):
        assert CANARY not in each
        assert CANARY[::-1] not in each


def test_an_error_is_its_class_and_message_without_a_traceback():
    text = logged(with_error, level="info")
    assert text.count("\n") == 1
    assert "(ValueError: bad key ***, caused by OSError: cannot reach http://***@host)" in text
    assert "Traceback" not in text
    assert "test_logs" not in text
    record = json.loads(logged(with_error, level="info", format="json"))
    assert set(record) == {"time", "level", "logger", "message", "error"}


def test_at_debug_there_is_a_traceback():
    text = logged(with_error, level="debug")
    first, *others = text.splitlines()
    assert "ValueError: bad key ***" in first
    assert all(line.startswith("    | ") for line in others)
    assert any("in failing" in line for line in others)
    assert "in failing" in json.loads(logged(with_error, level="debug", format="json"))["traceback"]


HOSTILE = "GET /\n2026-01-01T00:00:00.000Z INFO     forehearth: all is well\r\x1b[31m\x9b\u2028\u202e\x00end"


def hostile():
    raise ValueError(HOSTILE)


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("level", ["debug", "info"])
def test_nothing_breaks_the_line_or_steers_the_terminal(form, level):
    def write():
        try:
            hostile()
        except ValueError:
            log.exception("asked for %s", HOSTILE, extra={"path": HOSTILE, "a\nb": 1})

    text = logged(write, level=level, format=form)
    lines = text.splitlines()
    assert len([line for line in lines if not line.startswith("    | ")]) == 1
    assert all(line.isprintable() for line in lines)
    assert len(lines) == len(text.removesuffix("\n").split("\n"))


def test_arguments_that_do_not_fit_are_not_shown(capsys):
    text = logged(lambda: log.error("%d files", CANARY))
    assert "%d files (its arguments: TypeError)" in text
    assert capsys.readouterr().err == ""


def test_an_argument_that_cannot_be_shown():
    class Broken:
        def __str__(self):
            raise RuntimeError(CANARY)

    text = logged(lambda: log.error("see %s", Broken(), extra={"what": Broken()}))
    assert "see %s (its arguments: RuntimeError)" in text
    assert 'what="? (RuntimeError)"' in text


def test_long_texts_are_cut_without_halving_a_secret():
    filler = "x " * (2 * LONGEST - 4)
    text = logged(lambda: log.info("%s", filler + CANARY + filler))
    assert len(text) < LONGEST + 200
    assert CANARY[:5] not in text
    assert "… (shortened)" in text


def test_warnings_are_logged():
    def write():
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn(f"old {CANARY}", UserWarning, stacklevel=1)

    assert "py.warnings: " in logged(write)


def test_a_stream_that_takes_ascii_alone_gets_escapes():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    with logging_as(LogSettings(), redactor=Redactor(), stream=stream):
        log.info("schön")
    assert b"sch\\xf6n" in raw.getvalue()


def test_a_stream_that_is_gone_fails_nobody(capsys):
    stream = io.StringIO()
    stream.close()
    with logging_as(LogSettings(), redactor=Redactor(), stream=stream):
        log.info("nobody reads this")
    assert capsys.readouterr().err == ""


def test_logging_is_as_before_afterwards():
    root = logging.getLogger()
    before = root.handlers[:], root.level
    with logging_as(LogSettings(level="error"), redactor=Redactor(), stream=sys.stderr):
        assert [type(handler) for handler in root.handlers] == [LogHandler]
        assert root.level == logging.ERROR
    assert (root.handlers, root.level) == before


@by_dice(field=0.3, message=0.3, argument=0.3)
def test_any_text_is_one_printable_line(dice):
    where = dice.choice(["field", "message", "argument"])
    text = some_text(dice, 60) + CANARY + some_text(dice, 60)
    record = logging.LogRecord("n", logging.INFO, "", 0, "%s" if where == "argument" else "m", (), None)
    if where == "argument":
        record.args = (text,)
    elif where == "message":
        record.msg = text
    else:
        record.field = text
    RedactionFilter(Redactor([Secret(CANARY)]), tracebacks=False).filter(record)
    line = TextFormatter().format(record)
    assert line.isprintable()
    assert CANARY not in line
    assert MASK in line
    return where
