"""Calls that mean the same have one fingerprint; whatever may change an answer changes it."""

import copy
import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forehearth.caching.fingerprint import LONGEST_BODY, LONGEST_MESSAGE, NotCacheable, fingerprint, question
from forehearth.core.cache_settings import SemanticCacheSettings
from forehearth.core.call import Operation
from tests.unit.caching.calls import BOB, call, chat

SEMANTIC = SemanticCacheSettings(embeddings="vectors")


def exact(body: object = "", **rest: Any) -> bytes:
    return fingerprint(call(body, **rest), max_temperature=1.0).exact


def asked(body: object, **rest: Any):
    return question(fingerprint(call(body), max_temperature=1.0), SemanticCacheSettings(embeddings="vectors", **rest))


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)
BODIES = st.dictionaries(TEXTS.map("x".__add__), VALUES, max_size=5).map(lambda more: chat("Hello?") | more)


def respelled(value: Any, dice: random.Random) -> str:
    """The same JSON in other letters: order, white space, escapes, and other forms of a number."""
    space = dice.choice(["", " ", "\n\t"])
    if isinstance(value, dict):
        members = [f"{respelled(key, dice)}{space}:{respelled(each, dice)}" for key, each in value.items()]
        dice.shuffle(members)
        return "{" + space + f"{space},{space}".join(members) + "}"
    if isinstance(value, list):
        return "[" + f"{space}, ".join(respelled(each, dice) for each in value) + space + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=dice.random() < 0.5)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53 and dice.random() < 0.5:
        return dice.choice([f"{value}.0", f"{value}e0", f"{value}.00E+0"])
    return json.dumps(value)


@settings(max_examples=60, deadline=None)
@given(BODIES, st.integers(0, 2**32))
def test_the_same_request_in_other_letters_is_the_same(body, seed):
    other = respelled(body, random.Random(seed)).encode()
    assert exact(body) == exact(other)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every leaf, and every empty collection."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [each for key, child in inner for each in places(child, (*path, key))]
    return found or [path]


def same(one: Any, other: Any) -> bool:
    """As JSON has it: true is no 1, and 1.0 is."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return one == other and isinstance(one, str) == isinstance(other, str)


@settings(max_examples=60, deadline=None)
@given(BODIES, VALUES, st.integers(0, 2**32))
def test_any_change_of_any_value_is_another_request(body, value, seed):
    path = random.Random(seed).choice([each for each in places(body) if each and each[0] != "model"])
    changed = copy.deepcopy(body)
    at = changed
    for step in path[:-1]:
        at = at[step]
    if same(at[path[-1]], value):
        return
    at[path[-1]] = value
    assert exact(body) != exact(changed)


@pytest.mark.parametrize(
    "more",
    [
        {"x": None},
        {"temperature": 0.5},
        {"user": "u"},
        {"safety_identifier": "u"},
        {"seed": 1},
        {"max_tokens": 5},
        {"stream_options": {"include_usage": True}},
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"anything_new": 1},
    ],
)
def test_members_count_whether_known_or_not(more):
    assert exact(chat("Hello?")) != exact(chat("Hello?", **more))


@pytest.mark.parametrize(
    "more",
    [
        {"model": "another"},
        {"model": None},
        {"metadata": {"trace": "1"}},
        {"prompt_cache_key": "k"},
        {"prompt_cache_retention": "24h"},
        {"stream": False},
        {"stream": None},
    ],
)
def test_what_changes_no_answer_does_not_count(more):
    assert exact(chat("Hello?")) == exact(chat("Hello?", **more))


def test_a_stream_is_another_request_than_a_whole_answer():
    assert exact(chat("Hello?", stream=True)) != exact(chat("Hello?"))


def test_an_operation_is_another_request():
    body = {"model": "m", "prompt": "a"}
    assert exact(body, operation=Operation.COMPLETIONS) != exact(body, operation=Operation.EMBEDDINGS)


def test_headers_that_hosts_act_on_count_and_those_that_trace_do_not():
    plain = exact()
    assert exact(forward={b"foundry-features": b"x"}) != plain
    assert exact(forward={b"traceparent": b"x", b"tracestate": b"y", b"x-ms-client-request-id": b"z"}) == plain


def test_numbers_that_are_equal_as_floats_alone_are_not():
    assert exact(chat("Hello?", seed=2**53)) != exact(chat("Hello?", seed=2**53 + 1))


def test_who_asks_is_not_of_the_fingerprint_but_of_the_scope():
    assert exact() == exact(principal=BOB)


@pytest.mark.parametrize(
    "body",
    [
        b'{"messages": [{"role": "user", "content": "a"}], "n": 1, "n": 2}',
        b'{"messages": [{"role": "user", "content": "a", "content": "b"}]}',
        b'{"messages": [{"role": "user", "content": "a"}], "x": 1e999}',
        b'{"messages": [{"role": "user", "content": "a"}], "x": NaN}',
        b'{"messages": [{"role": "user", "content": "\\ud800"}]}',
        b'{"messages": [{"role": "user", "content": "a"}], "x": "\xff"}',
        b'{"messages": [{"role": "user", "content": "a"}], "x": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        b"[]",
        chat("Hello?", store=True),
        chat("Hello?", data_sources=[{"type": "azure_search"}]),
        chat("Hello?", web_search_options={"search_context_size": "low"}),
        chat("Hello?", temperature=1.01),
        chat("x" * LONGEST_BODY),
    ],
)
def test_what_is_not_cached_at_all(body):
    with pytest.raises(NotCacheable):
        exact(body)


def test_a_temperature_that_is_not_given_is_one():
    fingerprint(call(), max_temperature=1.0)
    with pytest.raises(NotCacheable):
        fingerprint(call(), max_temperature=0.5)
    fingerprint(call({"model": "m", "input": "a"}, operation=Operation.EMBEDDINGS), max_temperature=0.5)


def test_the_context_is_all_but_the_last_message():
    one, other = asked(chat("Hello?", temperature=0.5)), asked(chat("How are you?", temperature=0.5))
    assert one.context == other.context
    assert (one.message, other.message) == ("Hello?", "How are you?")
    assert asked(chat("Hello?", temperature=0.4)).context != one.context
    assert asked(chat("Hello?", stream=True, temperature=0.5)).context != one.context


SYSTEM = {"role": "system", "content": "Be brief."}
ASSISTANT = {"role": "assistant", "content": "Hello."}


@pytest.mark.parametrize(
    "body",
    [
        chat(SYSTEM, "Hello?"),
        chat({"role": "developer", "content": "Be brief."}, "Hello?"),
        chat("Hi.", ASSISTANT, "Hello?"),
        chat({"role": "user", "name": "anna", "content": "Hello?"}),
    ],
)
def test_what_came_before_belongs_to_the_context(body):
    assert asked(body).context != asked(chat("Hello?")).context


def test_system_messages_may_differ_where_that_is_wanted():
    plain = asked(chat("Hello?"), ignore_system_messages=True)
    assert asked(chat(SYSTEM, "Hello?"), ignore_system_messages=True).context == plain.context
    assert asked(chat("Hi.", ASSISTANT, "Hello?"), ignore_system_messages=True).context != plain.context


def test_text_parts_are_the_text():
    parts = {"role": "user", "content": [{"type": "text", "text": "Hello?"}]}
    assert asked(chat(parts)) == asked(chat("Hello?"))


@pytest.mark.parametrize(
    "last",
    [
        ASSISTANT,
        {"role": "tool", "tool_call_id": "1", "content": "sunny"},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x/y.png"}}]},
        {"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]},
        {"role": "user", "content": [{"type": "text", "text": 5}]},
        {"role": "user", "content": None},
        {"role": "user", "content": " \n"},
        {"role": "user", "content": "x" * (LONGEST_MESSAGE + 1)},
    ],
)
def test_only_a_text_of_the_user_can_stand_for_itself(last):
    with pytest.raises(NotCacheable):
        asked(chat("Hello?", last))


def test_a_long_conversation_is_not_looked_for():
    body = chat(SYSTEM, "Hi.", ASSISTANT, "Hello?")
    asked(body, max_message_count=3)
    with pytest.raises(NotCacheable):
        asked(body, max_message_count=2)


def test_only_chats_have_a_last_message():
    with pytest.raises(NotCacheable):
        question(
            fingerprint(call({"model": "m", "prompt": "a"}, operation=Operation.COMPLETIONS), max_temperature=1.0),
            SEMANTIC,
        )


def test_what_hosts_are_asked_by_the_responses_api_is_not_cached():
    with pytest.raises(NotCacheable, match="Responses API"):
        fingerprint(call(responses=b"{}"), max_temperature=1.0)
