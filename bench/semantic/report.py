"""The page about a run: the figures, put into the words of page.md."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

CHART = "semantic-cache.svg"
HIT_RATE, WRONG_SHARE, MILLISECONDS = 0.30, 0.005, 3.0
"""The aims: at least, at most, at most."""
_PAGE = Path(__file__).parent / "page.md"
_HALVES = {"all": "all", "tuned": "the half that was looked at", "held out": "the half that was only counted"}
_CLOSENESS = {"~1": "nearly the same words", "~2": "other words", "~3": "as somebody else would put it"}


def reached(record: Mapping[str, Any]) -> list[bool]:
    """Of each aim, whether it is: the hit rate, the wrong answers, the other tenant's, the cost."""
    at, used = record["at_default"]["all"]["guarded"], record["as_used"].values()
    return [
        at["hit_rate"] >= HIT_RATE,
        at["wrong_share"] <= WRONG_SHARE and all(each["wrong"] <= WRONG_SHARE * each["hits"] for each in used),
        not any(each["foreign"] for each in used),
        record["cost"]["p99"] <= MILLISECONDS,
    ]


def markdown(record: Mapping[str, Any]) -> str:
    """The whole page."""
    questions, cost, machine = record["questions"], record["cost"], record["machine"]
    kinds = Counter(questions["kinds"]).most_common()
    given = record["at_default"]["all"]["guarded"]["hits"] + sum(each["hits"] for each in record["as_used"].values())
    return _PAGE.read_text().format(
        aims=_aims(record),
        chart=CHART,
        threshold=f"{record['threshold']:g}",
        pairs=_pairs(record["at_default"]),
        closeness=_closeness(record["by_closeness"]),
        used=_used(record["as_used"]),
        kinds=_kinds(record["by_kind"]),
        entries=f"{cost['entries']:,}",
        lookups=cost["lookups"],
        near=f"{cost['near']:.0f}",
        median=f"{cost['median']:.2f}",
        p99=f"{cost['p99']:.2f}",
        most=f"{cost['most']:.2f}",
        size=f"{cost['bytes_per_entry']:,.0f}",
        kept=questions["kept"],
        paraphrases=questions["paraphrases"],
        traps=questions["traps"],
        traps_by_kind=", ".join(f"{kind} ({number})" for kind, number in kinds),
        given=given,
        bound=f"{3 / given:.1%}",
        date=record["taken"][:10],
        commit=record["commit"],
        cpu=machine["cpu"],
        cores=machine["cores"],
        python=machine["python"],
    )


def _aims(record: Mapping[str, Any]) -> str:
    at, used, cost = record["at_default"]["all"]["guarded"], record["as_used"].values(), record["cost"]
    wrong, given = at["wrong"], at["hits"] + at["wrong"]
    in_use = sum(each["wrong"] for each in used), sum(each["hits"] for each in used)
    rows = (
        ("paraphrases with the right answer", "at least 30%", f"{at['hit_rate']:.1%}"),
        (
            "wrong answers among all that were given",
            "at most 0.5%",
            f"{wrong} of {given}; as used {in_use[0]} of {in_use[1]}",
        ),
        ("answers of another tenant", "none", str(sum(each["foreign"] for each in used))),
        (
            f"processor time of a look-up among {cost['entries']:,}",
            "at most 3 ms",
            f"{cost['median']:.2f} ms, p99 {cost['p99']:.2f} ms",
        ),
    )
    verdicts = ("reached" if well else "**missed**" for well in reached(record))
    return _table(("what", "aim", "measured", ""), [(*row, word) for row, word in zip(rows, verdicts, strict=True)])


def _pairs(at: Mapping[str, Any]) -> str:
    rows = []
    for name, title in _HALVES.items():
        guarded, plain = at[name]["guarded"], at[name]["plain"]
        right = f"{guarded['hits']} ({guarded['hit_rate']:.1%})"
        alone = f"{plain['hits']} ({plain['hit_rate']:.1%})", f"{plain['wrong']} ({plain['wrong_share']:.0%} of all)"
        rows.append((title, guarded["paraphrases"], right, guarded["wrong"], *alone))
    head = ("questions", "paraphrases", "right answers", "wrong answers", "vectors alone: right", "wrong")
    return _table(head, rows)


def _closeness(by: Mapping[str, Sequence[int]]) -> str:
    rows = [(_CLOSENESS[mark], there, f"{hits} ({hits / there:.0%})") for mark, (there, hits) in by.items()]
    return _table(("how close a paraphrase is", "there are", "right answers"), rows)


def _used(used: Mapping[str, Mapping[str, int]]) -> str:
    rows = [
        (name, each["asked"], f"{each['hits']} ({each['hits'] / each['asked']:.1%})", each["wrong"], each["foreign"])
        for name, each in used.items()
    ]
    return _table(("tenant", "asked", "answered from the cache", "wrong", "of the other tenant"), rows)


def _kinds(by: Mapping[str, Sequence[int]]) -> str:
    return _table(
        ("what differs", "there are", "vectors alone would answer", "answered"), [(k, *n) for k, n in by.items()]
    )


def _table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    names = list(head)
    lines = [names, ["---"] * len(names), *([str(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
