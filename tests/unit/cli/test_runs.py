"""`forehearth runs`: pictures that fit the terminal, whatever callers named things; exit statuses of `tail`."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forehearth.cli.main import run
from forehearth.cli.runs import followed
from forehearth.cli.runs_drawing import _columns, drawn, facts, told

TOKENS = {"prompt": 1_200, "cached": 200, "completion": 34, "reasoning": 4}
RUN: dict[str, Any] = {
    "id": "resp_1",
    "kind": "response",
    "project": "sales",
    "endpoint": None,
    "status": "completed",
    "ended": True,
    "model": "chat",
    "agent": "helper:2",
    "background": True,
    "created": "2027-01-15T08:00:00.25Z",
    "seconds": 4.0,
    "tokens": TOKENS,
    "requests": ["id-1"],
    "tools": ["function weather", "mcp docs"],
    "error": None,
    "jobs": [
        {
            "state": "succeeded",
            "created": 0.0,
            "ended": 4.0,
            "attempts": 2,
            "mostAttempts": 5,
            "cancelAsked": False,
            "leaseEnds": None,
        }
    ],
    "attempts": [
        {"leg": 0, "fence": 1, "began": 1.0, "ended": 2.0},
        {"leg": 0, "fence": 2, "began": 2.0, "ended": 4.0},
    ],
    "steps": [{"leg": 0, "name": "answer", "at": 4.0}],
    "items": [
        {
            "id": "fc_1",
            "type": "function_call",
            "name": "weather",
            "status": "completed",
            "began": 3.0,
            "ended": 3.5,
            "pieces": 3,
        },
        {
            "id": "m",
            "type": "message",
            "name": None,
            "status": "incomplete",
            "began": None,
            "ended": None,
            "pieces": 0,
        },
    ],
    "calls": [
        {
            "request": "id-1",
            "began": 2.0,
            "seconds": 2.0,
            "queued": 0.0,
            "firstByte": 0.5,
            "deployment": "chat",
            "backend": "west",
            "model": "gpt",
            "status": 200,
            "outcome": "ok",
            "cache": None,
            "tokens": TOKENS,
            "tried": [{"backend": "west", "began": 2.0, "seconds": 0.5, "outcome": "ok", "status": 200}],
        }
    ],
}


def test_what_is_known_of_a_run():
    assert list(facts(RUN)) == [
        "run      resp_1, response, project sales, in the background",
        "begun    2027-01-15 08:00:00Z, by request id-1",
        "status   completed after 4.000 s",
        "agent    helper:2",
        "model    chat",
        "tools    function weather, mcp docs",
        "tokens   prompt 1,200 (200 from the host's cache), answer 34 (4 of reasoning)",
        "job      succeeded, attempt 2 of 5",
    ]


def test_what_went_wrong_is_told():
    shown = "\n".join(facts(RUN | {"error": {"code": "server_error", "message": "It broke."}, "status": "failed"}))
    assert "error    server_error: It broke." in shown


def test_the_picture_is_drawn_to_scale():
    full, none, edge = "\u2588", " ", "\u2502"

    def line(name: str, before: int, lasts: int, seconds: float, said: str = "") -> str:
        bar = (none * before + full * lasts).ljust(48)
        return f"{name:<15}  {edge}{bar}{edge}{seconds:10.3f} s  {said}".rstrip()

    assert list(drawn(RUN, None)) == [
        line("waited", 0, 12, 1.0),
        line("attempt 1", 12, 12, 1.0, "lost, or given back"),
        line("attempt 2", 24, 24, 2.0),
        line("model chat", 24, 24, 2.0, "ok 200, prompt 1,200, answer 34"),
        line("  backend west", 24, 6, 0.5, "ok 200"),
        line("call of weather", 36, 6, 0.5, "completed, 3 pieces"),
        line("step answer", 47, 0, 4.0, "recorded").replace(none * 48, none * 47 + "\u2506"),
        f"{'message':<15}  {edge}{none * 48}{edge}{none * 12}  incomplete",
    ]


@pytest.mark.parametrize("width", [20, 40, 61, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int):
    lines = list(drawn(RUN, width))
    assert len(lines) == 8
    assert max(map(_columns, lines)) <= width
    assert all("\u2502" in line for line in lines)


NAMES = st.text(max_size=60)
SECONDS = st.floats(min_value=-5, max_value=1e6, allow_nan=False)


@given(name=NAMES, began=st.none() | SECONDS, ended=st.none() | SECONDS, total=SECONDS, width=st.integers(10, 150))
def test_whatever_callers_named_things_no_terminal_obeys_it(
    name: str, began: float | None, ended: float | None, total: float, width: int
):
    item = RUN["items"][0] | {"name": name, "began": began, "ended": ended}
    odd = RUN | {"items": [item], "model": name, "tools": [name], "agent": name, "seconds": max(total, 0)}
    odd |= {"calls": [RUN["calls"][0] | {"deployment": name}], "steps": [{"name": name, "at": began}]}
    for line in (*facts(odd), *drawn(odd, None), *told({"name": name, "at": began, "item": name, "tool": name}, 2)):
        assert line.isprintable()
    assert max(map(_columns, drawn(odd, width))) <= width


def test_a_run_of_which_nothing_is_noted():
    empty = {name: [] for name in ("jobs", "attempts", "steps", "items")} | {"calls": None}
    assert list(drawn(RUN | empty, 80)) == ["nothing of what it did is noted (any more)"]


def test_one_that_waits():
    waiting = {name: [] for name in ("attempts", "steps", "items", "calls")} | {"seconds": 1.5, "ended": False}
    (line,) = drawn(RUN | waiting | {"jobs": [RUN["jobs"][0] | {"ended": None}]}, None)
    assert line.startswith("waiting  \u2502\u2588")


class Server:
    """Answers what `tail` asks: events come page by page, the last one when the run has ended."""

    def __init__(self, status: str) -> None:
        self.whole = RUN | {"status": status}
        names = ["response.in_progress", *["response.output_text.delta"] * 2, "response.completed"]
        events = [{"number": n, "name": name, "at": n / 4, "item": None, "tool": None} for n, name in enumerate(names)]
        self.pages = [events[:2], [], events[2:], []]
        self.asked: list[str | None] = []

    async def call(self, method: str, path: str, *, query: Any = None, body: object = None) -> Any:
        assert (method, body) == ("GET", None)
        if not path.endswith("/events"):
            return self.whole
        self.asked.append(query.get("after"))
        page = self.pages.pop(0)
        return {"status": "in_progress", "ended": len(self.pages) < 2, "value": page}


@pytest.mark.parametrize(("status", "code"), [("completed", 0), ("failed", 1), ("cancelled", 1), ("incomplete", 1)])
async def test_tail_says_how_it_ended(capsys: pytest.CaptureFixture[str], status: str, code: int):
    server = Server(status)
    assert await followed(server, "resp_1", {}, as_json=False) == code
    assert capsys.readouterr().out.splitlines()[8:] == [
        "    0.000 s  response.in_progress",
        "             \u2026 2 pieces",
        "    0.750 s  response.completed",
        f"    4.000 s  {status}",
    ]
    assert server.asked == [None, "1", "1", "3"]


async def test_tail_as_json_is_a_line_for_each_event(capsys: pytest.CaptureFixture[str]):
    assert await followed(Server("completed"), "resp_1", {}, as_json=True) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["number"] for line in lines[:-1]] == [0, 1, 2, 3]
    assert lines[-1] == {"status": "completed", "seconds": 4.0, "tokens": TOKENS}


def test_a_data_directory_that_no_server_holds_has_no_runs_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    for name in ("FOREHEARTH_URL", "FOREHEARTH_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "forehearth.yaml").write_text("version: 1\n")
    options = ("--data-dir", str(tmp_path / "data"), "--config", str(tmp_path / "forehearth.yaml"))
    assert run(["runs", "list", *options]) == 0
    assert capsys.readouterr().out == "no runs are kept\n"
    assert run(["runs", "show", "resp_1", *options]) == 1
    assert "There is no run 'resp_1'" in capsys.readouterr().err


def test_a_run_of_several_legs_waits_for_its_caller_between_them():
    job = RUN["jobs"][0]
    legs = {
        "jobs": [job | {"ended": 1.0}, job | {"created": 3.0}],
        "attempts": [
            {"leg": 0, "fence": 1, "began": 0.0, "ended": 1.0},
            {"leg": 1, "fence": 1, "began": 3.0, "ended": None},
        ],
    }
    bare = {"steps": [], "items": [], "calls": []}
    names = [line.partition("\u2502")[0].strip() for line in drawn(RUN | bare | legs, None)]
    assert names == ["attempt 1", "waits for its caller", "attempt 2"]
    waiting = {"jobs": legs["jobs"][:1], "attempts": legs["attempts"][:1], "ended": False}
    names = [line.partition("\u2502")[0].strip() for line in drawn(RUN | bare | waiting, None)]
    assert names == ["attempt 1", "waits for its caller"]
