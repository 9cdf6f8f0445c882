"""A run as lines of text: what is known of it, and a waterfall of what it did.

Names come from callers, so what a terminal would obey in them is not printed.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

_EDGE, _FULL, _MARK = "\u2502", "\u2588", "\u2506"
_CUT: Final = "\u2026"
_USUAL_BAR, _LEAST_BAR, _LONGEST_NAME = 48, 8, 34
_TIME: Final = len(" 00000.000 s")
_WAITS: Final = "waits for its caller"
_CALLS: Final = {
    "function_call": "call of",
    "function_call_output": "result",
    "mcp_call": "call of",
    "mcp_list_tools": "tools of",
    "mcp_approval_request": "approval of",
}


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the picture. `ended` None is a moment; `began` None has no place in it. Seconds."""

    name: str
    began: float | None
    ended: float | None = None
    said: str = ""


def shown(text: str) -> str:
    """The text, with a mark in the place of what is no character to be seen."""
    return "".join(each if each.isprintable() else "\ufffd" for each in text)


def facts(run: Any) -> Iterator[str]:
    """What is known of it."""
    where = f", project {run['project']}" if run["project"] else ""
    at = f", at the endpoint of the agent {run['endpoint']}" if run["endpoint"] else ""
    background = ", in the background" if run["background"] else ""
    begun = run["created"][:19].replace("T", " ")
    ended = f"after {run['seconds']:.3f} s" if run["ended"] else f"for {run['seconds']:.3f} s until now"
    found = {
        "run": f"{run['id']}, {run['kind']}{where}{at}{background}",
        "begun": f"{begun}Z, by request {run['requests'][0]}" if run["requests"] else f"{begun}Z",
        "status": f"{run['status']} {ended}",
        "error": f"{run['error']['code']}: {run['error']['message']}" if run["error"] else "",
        "agent": run["agent"] or "",
        "model": run["model"] or "",
        "tools": ", ".join(run["tools"]),
        "tokens": _tokens(run["tokens"]) if run["tokens"] else "",
        "job": _job(run["jobs"][-1]) if run["jobs"] else "",
    }
    for name, value in found.items():
        if value:
            yield f"{name:<9}{shown(value)}"


def _tokens(tokens: Any) -> str:
    cached = f" ({tokens['cached']:,} from the host's cache)" if tokens["cached"] else ""
    reasoning = f" ({tokens['reasoning']:,} of reasoning)" if tokens["reasoning"] else ""
    return f"prompt {tokens['prompt']:,}{cached}, answer {tokens['completion']:,}{reasoning}"


def _job(job: Any) -> str:
    asked = ", cancelling is asked for" if job["cancelAsked"] else ""
    return f"{job['state']}, attempt {job['attempts']} of {job['mostAttempts']}{asked}"


def drawn(run: Any, width: int | None) -> Iterator[str]:
    """Where its time went, each line a bar from its beginning to its end; no wider than `width` columns."""
    found = _rows(run)
    if not found:
        yield "nothing of what it did is noted (any more)"
        return
    ends = [each.ended if each.ended is not None else each.began for each in found]
    total = max([run["seconds"], *(each for each in ends if each is not None)])
    names = min(_LONGEST_NAME, max(_columns(each.name) for each in found))
    said = max(_columns(each.said) for each in found)
    bar = _USUAL_BAR
    if width is not None:
        names = min(names, max(8, width // 3))
        bar = max(_LEAST_BAR, min(2 * _USUAL_BAR, width - names - 4 - _TIME - 2 - said))
    for each in found:
        line = f"{_fit(each.name, names)}  {_EDGE}{_bar(each, total, bar)}{_EDGE}{_lasted(each)}  {each.said}".rstrip()
        yield line if width is None else _fit(line, width).rstrip()


def told(event: Any, pieces: int) -> Iterator[str]:
    """An event, behind so many pieces that came before it."""
    if pieces:
        yield f"{'':>9}    … {pieces} piece{'' if pieces == 1 else 's'}"
    at = f"{event['at']:9.3f} s" if event["at"] is not None else f"{'':>9}  "
    about = " ".join(each for each in (event["item"], event["tool"]) if each)
    yield f"{at}  {shown(event['name'])}{'  ' if about else ''}{shown(about)}"


def _rows(run: Any) -> list[Row]:
    """Attempts, calls of models, what was made, and steps, in the order in which they began."""
    found = [*_attempts(run), *_calls(run["calls"] or ()), *map(_item, run["items"])]
    found += [Row(name=f"step {shown(each['name'])}", began=each["at"], said="recorded") for each in run["steps"]]
    return sorted(found, key=lambda each: float("inf") if each.began is None else each.began)


def _attempts(run: Any) -> Iterator[Row]:
    """Each leg waits for a worker, is had by one after the other, and may wait for its caller then."""
    end, before = run["seconds"], 0
    for leg, job in enumerate(run["jobs"]):
        had = [each for each in run["attempts"] if each["leg"] == leg]
        if leg:
            yield Row(name=_WAITS, began=run["jobs"][leg - 1]["ended"], ended=job["created"])
        if not had:
            yield Row(name="waiting", began=job["created"], ended=end if job["ended"] is None else job["ended"])
        elif had[0]["began"] > job["created"]:
            yield Row(name="waited", began=job["created"], ended=had[0]["began"])
        for each in had:
            before += 1
            said = "" if each is had[-1] else "lost, or given back"
            until = end if each["ended"] is None else each["ended"]
            yield Row(name=f"attempt {before}", began=each["began"], ended=until, said=said)
    if run["jobs"] and run["jobs"][-1]["ended"] is not None and not run["ended"]:
        yield Row(name=_WAITS, began=run["jobs"][-1]["ended"], ended=end)


def _calls(calls: Sequence[Any]) -> Iterator[Row]:
    for call in calls:
        tokens, status = call["tokens"], f" {call['status']}" if call["status"] else ""
        used = f", prompt {tokens['prompt']:,}, answer {tokens['completion']:,}"
        cache = f", cache {call['cache']}" if call["cache"] else ""
        yield Row(
            name=f"model {shown(call['deployment'])}",
            began=call["began"],
            ended=call["began"] + call["seconds"],
            said=f"{call['outcome']}{status}{used}{cache}",
        )
        for each in call["tried"] or ():
            said = each["outcome"] + (f" {each['status']}" if each["status"] else "")
            name = f"  backend {shown(each['backend'])}"
            yield Row(name=name, began=each["began"], ended=each["began"] + each["seconds"], said=said)


def _item(item: Any) -> Row:
    word = _CALLS.get(item["type"], item["type"])
    name = f"{word} {item['name']}" if item["name"] else word
    pieces = f", {item['pieces']} piece{'' if item['pieces'] == 1 else 's'}" if item["pieces"] else ""
    said = f"{item['status'] or 'made'}{pieces}"
    return Row(name=shown(name), began=item["began"], ended=item["ended"], said=said)


def _bar(row: Row, total: float, width: int) -> str:
    if row.began is None:
        return " " * width
    scale = width / total if total > 0 else 0.0
    start = max(0, min(width - 1, int(row.began * scale)))
    if row.ended is None:
        return (" " * start + _MARK).ljust(width)
    length = max(1, min(width - start, round((row.ended - row.began) * scale)))
    return (" " * start + _FULL * length).ljust(width)


def _lasted(row: Row) -> str:
    if row.began is None:
        return " " * _TIME
    return f" {row.began if row.ended is None else row.ended - row.began:9.3f} s"


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)


def _fit(text: str, width: int) -> str:
    """The text in exactly so many columns, cut where it is longer."""
    if _columns(text) > width:
        while _columns(text) >= width:
            text = text[:-1]
        text += _CUT
    return text + " " * (width - _columns(text))
