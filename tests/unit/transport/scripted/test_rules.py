"""Which rule a call falls to, and that chances can be repeated."""

import asyncio
import itertools

import msgspec
import pytest

from forehearth.core.call import Operation
from forehearth.providers.scripted import ScriptedSettings
from forehearth.transport.scripted import script as scripts
from forehearth.transport.scripted.question import Question
from forehearth.transport.scripted.script import Script
from tests.unit.dice import by_dice


def ask(text: str = "x", **more) -> Question:
    members = {"operation": Operation.CHAT, "model": "m", "texts": (text,), "prompt_tokens": 1, "dimensions": 8, **more}
    return Question(digest=repr(sorted(members.items())).encode(), **members)


def script(*rules: dict, **keys) -> Script:
    return Script(msgspec.convert({"rules": list(rules), **keys}, ScriptedSettings))


def chosen(one: Script, question: Question) -> str | None:
    """The answer of the rule that a call falls to; None for the echo without a rule."""
    return one.turn(question).rule.answer


@pytest.mark.parametrize(
    ("when", "fits"),
    [
        ({}, True),
        ({"operation": "chat_completions"}, True),
        ({"operation": "embeddings"}, False),
        ({"model": "m"}, True),
        ({"model": "M"}, False),
        ({"contains": "number 42"}, True),
        ({"contains": "Number 42"}, False),
        ({"matches": "number \\d+$"}, True),
        ({"matches": "^number"}, False),
        ({"matches": "(?i)ORDER"}, True),
        ({"stream": False}, True),
        ({"stream": True}, False),
        ({"contains": "order", "model": "other"}, False),
    ],
)
def test_every_condition_must_hold(when, fits):
    assert chosen(script({"when": when, "answer": "hit"}), ask("order number 42")) == ("hit" if fits else None)


def test_the_first_rule_that_fits_wins():
    one = script(
        {"when": {"contains": "b"}, "answer": "b"}, {"when": {"contains": "a"}, "answer": "a"}, {"answer": "-"}
    )
    assert [chosen(one, ask(text)) for text in ("a", "b", "ab", "c")] == ["a", "b", "b", "-"]


def test_patterns_see_the_beginning_and_contains_sees_all():
    text = "." * 400 + "needle"
    assert chosen(script({"when": {"matches": "needle"}, "answer": "hit"}), ask(text)) is None
    assert chosen(script({"when": {"contains": "needle"}, "answer": "hit"}), ask(text)) == "hit"


def test_calls_are_counted_among_those_that_fit_the_rest():
    one = script(
        {"when": {"contains": "a", "every": 2}, "answer": "second a"},
        {"when": {"first": 2}, "answer": "early"},
        {"when": {"after": 4, "first": 5}, "answer": "fifth"},
    )
    texts = ["a", "b", "a", "b", "b", "a", "a"]
    assert [chosen(one, ask(text)) for text in texts] == [
        "early", "early", "second a", None, "fifth", None, "second a",
    ]  # fmt: skip


CALLS = [("a", False), ("a", True), ("b", False), ("b", True), ("ab", False), ("", True)]
CONDITIONS = {
    "contains": [None, "a", "b"],
    "stream": [None, True, False],
    "every": [None, 1, 2, 3],
    "first": [None, 1, 2, 3, 4],
    "after": [None, 1, 2, 3],
}


def scenario(dice) -> tuple[list[dict], list[tuple[str, bool]]]:
    """Conditions of up to three rules, and seven calls."""
    whens: list[dict] = []
    for _ in range(dice.choice((0, 1, 2, 3, 3))):
        when = {key: dice.choice(values) for key, values in CONDITIONS.items()}
        whens.append({key: value for key, value in when.items() if value is not None})
    return whens, dice.choices(CALLS, k=7)


def expected(whens: list[dict], calls: list[tuple[str, bool]]) -> list[int | None]:
    """The rule of each call, found the slow way: by looking at all calls so far, again for every rule."""
    out: list[int | None] = []
    for position in range(len(calls)):
        hits = []
        for index, when in enumerate(whens):
            fitting = [
                at
                for at, (text, stream) in enumerate(calls[: position + 1])
                if when.get("contains", "") in text and when.get("stream", stream) == stream
            ]
            number = len(fitting)
            due = number % when.get("every", 1) == 0 and when.get("after", 0) < number <= when.get("first", number)
            if position in fitting and due:
                hits.append(index)
        out.append(hits[0] if hits else None)
    return out


@by_dice(by_several=0.1, by_one=0.2, by_none=0.2)
def test_rules_are_chosen_as_their_description_says(dice):
    whens, calls = scenario(dice)
    one = script(*({"when": when, "answer": str(index)} for index, when in enumerate(whens)))
    said = [chosen(one, ask(text, stream=stream)) for text, stream in calls]
    assert said == [None if index is None else str(index) for index in expected(whens, calls)]
    return ("by_none", "by_one", "by_several")[min(2, len({*said} - {None}))]


HALF = {"when": {"chance": 0.5}, "answer": "hit"}


def fates(one: Script, questions: list[Question]) -> list[tuple[bytes, str | None]]:
    return [(question.digest, chosen(one, question)) for question in questions]


def test_the_same_seed_gives_the_same_fates_in_any_order():
    questions = [ask(text) for text in "abcdefgh" for _ in range(4)]
    in_order = sorted(fates(script(HALF, seed=3), questions), key=repr)
    mixed = sorted(fates(script(HALF, seed=3), questions[::-1]), key=repr)
    assert in_order == mixed
    assert {fate for _, fate in in_order} == {"hit", None}
    assert sorted(fates(script(HALF, seed=4), questions), key=repr) != in_order


def test_a_question_asked_again_is_drawn_again():
    """A caller that tries again is not refused for ever."""
    said = [chosen(script(HALF, seed=seed), ask()) for seed in range(20)]
    unlucky = said.index("hit")
    one = script(HALF, seed=unlucky)
    assert None in [chosen(one, ask()) for _ in range(20)]


def test_by_call_the_fate_hangs_on_the_number_alone():
    numbered = [fate for _, fate in fates(script(HALF, chance_by="call"), [ask(str(n)) for n in range(50)])]
    others = [fate for _, fate in fates(script(HALF, chance_by="call"), [ask("same") for _ in range(50)])]
    assert numbered == others
    assert set(numbered) == {"hit", None}


@pytest.mark.parametrize("by", ["question", "call"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_a_chance_is_hit_about_so_often(by, share):
    one = script({"when": {"chance": share}, "answer": "hit"}, seed=1, chance_by=by)
    hits = sum(chosen(one, ask(str(n))) == "hit" for n in range(4_000))
    assert abs(hits - 4_000 * share) <= 120 * (0 < share < 1)


def test_rules_draw_for_themselves():
    one = script(HALF, {"when": {"chance": 0.5}, "answer": "second"}, seed=2)
    said = {chosen(one, ask(str(n))) for n in range(100)}
    assert said == {"hit", "second", None}


def test_old_questions_are_forgotten_and_memory_stays_bounded():
    one = script(HALF)
    first = one.turn(ask("first")).ident
    for n in range(scripts._REMEMBERED):
        one.turn(ask(str(n)))
    assert len(one._asked) == scripts._REMEMBERED
    assert one.turn(ask("first")).ident == first


async def test_calls_at_the_same_time_share_the_counts(host):
    one = host({"when": {"every": 4}, "answer": "fourth", "delay": 1}, {"answer": "other", "delay": 2})
    said = await asyncio.gather(*(one.say(str(n)) for n in range(16)))
    assert said == ["other", "other", "other", "fourth"] * 4


async def test_turns_are_given_out_in_order_of_arrival(host):
    one = host({"answer": ["a", "b", "c"], "delay": 1})
    assert await asyncio.gather(*(one.say() for _ in range(5))) == list(itertools.islice(itertools.cycle("abc"), 5))
