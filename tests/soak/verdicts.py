"""Whether a caller of a faulty host was told what it is owed, on whichever surface."""

import json
from typing import NamedTuple

from tests.forehearth_server import ForehearthServer
from tests.soak.calls import Came, call
from tests.soak.faults import MARK, SECRET, Fault, Told

DEADLINE = 5.0
"""Seconds in which any call must be over: its total time, a look of the sweeper, and a machine with other work."""
KINDS = ("no answer", "wrong status", "wrong shape", "words of the host", "wrong end", "late")
"""What can be wrong with a call."""

_MEMBERS = {"code", "message", "param", "type"}
_FLAT = {"status", "code", "message", "param", "type", "error"}
_INNER = tuple(text.encode() for text in (MARK, SECRET.removeprefix("sk-"), "inner.example"))
"""What no caller may see of what a host says."""


class Complaint(NamedTuple):
    """One thing that is wrong."""

    kind: str
    what: str


class Outcome(NamedTuple):
    """What a caller was told, after how many seconds, and all that is wrong with it."""

    told: Told
    seconds: float
    complaints: list[Complaint]


def outcome(server: ForehearthServer, deployment: str, fault: Fault, surface: str, *, stream: bool) -> Outcome:
    """Call a deployment whose host has this fault, and judge what comes of it."""
    try:
        came = call(server, surface, deployment, stream=stream)
    except OSError as error:
        return Outcome((0, ""), 0.0, [Complaint("no answer", repr(error))])
    told, complaints = judge(came, surface)
    expected = fault.stream if stream else fault.whole
    if told != expected:
        complaints.append(Complaint("wrong status", f"{told} instead of {expected}"))
    headers = {} if stream else fault.headers
    wrong = {name: came.headers[name] for name, value in headers.items() if came.headers[name] != value}
    if wrong:
        complaints.append(Complaint("wrong shape", f"headers {wrong}"))
    return Outcome(told, came.seconds, complaints)


def judge(came: Came, surface: str) -> tuple[Told, list[Complaint]]:
    """What was told, and what is wrong with it whatever it is."""
    code, complaints = _error(came, surface)
    if came.whole is (came.status == 200 and bool(code)):
        ended = "the answer is cut off" if not came.whole else "a broken stream ends as if it were complete"
        complaints.append(Complaint("wrong end", f"{ended}: {came.body[-200:]!r}"))
    if any(words in came.shown for words in _INNER):
        complaints.append(Complaint("words of the host", repr(came.shown[:500])))
    if came.seconds > DEADLINE:
        complaints.append(Complaint("late", f"took {came.seconds:.1f} s"))
    return (came.status, code), complaints


def _error(came: Came, surface: str) -> tuple[str, list[Complaint]]:
    """The code of an answer's error, or of that in a stream's last event, and what is wrong with its shape."""
    if came.status == 200 and b'"error"' not in came.last_event:
        return "", []
    try:
        said = json.loads(came.body if came.status != 200 else came.last_event)
        error = said["error"]
        code, message = error["code"], error["message"]
    except (ValueError, LookupError, TypeError):
        return "?", [Complaint("wrong shape", repr(came.body[:200]))]
    wrong = []
    if set(said) != (_FLAT if surface == "models" else {"error"}) or set(error) != _MEMBERS or not message:
        wrong.append(f"members of {said}")
    if came.status != 200 and came.headers["content-type"] != "application/json":
        wrong.append(f"content-type {came.headers['content-type']}")
    if came.status != 200 and surface == "models" and came.headers["x-ms-error-code"] != code:
        wrong.append(f"x-ms-error-code {came.headers['x-ms-error-code']}")
    return str(code), [Complaint("wrong shape", each) for each in wrong]
