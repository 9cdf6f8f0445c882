"""Conversations that are too long for their model: made shorter where that is asked for, refused where it is not."""

import json

import pytest

from forehearth.accounting.tokens import TokenBounds
from forehearth.core.errors import BackendRefused, ContextTooLong
from forehearth.core.exchange import Reply
from forehearth.core.limit_settings import TokenSettings
from forehearth.policies.fit import FitContext, says_too_long
from tests.unit.accounting.limited import a_call


class Words:
    """A vocabulary of words."""

    def count(self, text):
        return len(text.split())


class Host:
    """Takes conversations of `most` words, and says what `says` of longer ones."""

    def __init__(
        self, most, says="This model's maximum context length is {most} tokens, your prompt has {has} tokens."
    ):
        self.most, self.says = most, says
        self.asked = []

    async def __call__(self, call):
        self.asked.append(call)
        body = json.loads(call.body)
        has = sum(len(each["content"].split()) for each in body.get("messages") or body["input"])
        if has > self.most:
            message = self.says.format(most=self.most, has=has)
            raise BackendRefused(message, status=400, error_code="context_length_exceeded", param="messages")
        return Reply(status=200, body=b"{}")

    def texts(self):
        return [each["content"].split()[0] for each in json.loads(self.asked[-1].body)["messages"]]


def talk(turns=10, words=10):
    said = [{"role": "system", "content": "brief"}]
    for number in range(turns):
        said.append({"role": "user", "content": f"u{number} " + "word " * words})
        said.append({"role": "assistant", "content": f"a{number} " + "word " * words})
    return [*said, {"role": "user", "content": "last"}]


def asks(truncation="auto", messages=None, **rest):
    body = json.dumps({"model": "chat", "messages": messages or talk()}).encode()
    return a_call(**{"body": body, "max_tokens": None, "truncation": truncation} | rest)


def policy(context=None, vocabulary=None):
    return FitContext(TokenBounds(TokenSettings(), "", vocabulary), context)


async def test_what_fits_goes_as_it_came():
    host, call = Host(1_000), asks()
    assert (await policy()(call, host)).status == 200
    assert host.asked == [call]


async def test_a_host_is_asked_with_less_until_it_fits():
    host = Host(100)
    await policy()(asks(), host)
    assert len(host.asked) == 2
    assert host.texts() == ["brief", "u7", "a7", "u8", "a8", "u9", "a9", "last"], "an eighth is left for the answer"
    (words,) = host.asked[-1].record.words
    assert words == ("truncation", "14 of the oldest messages were left out, to fit the model's context.")


@pytest.mark.parametrize("says", ["Too long.", "context is {most} tokens", "{most} tokens {most} tokens"])
async def test_a_host_that_does_not_say_by_how_much(says):
    host = Host(100, says)
    await policy()(asks(), host)
    assert len(host.asked) > 2
    assert host.texts()[-1] == "last"
    assert 3 < len(host.texts()) < 12


@pytest.mark.parametrize(("truncation", "error"), [("", BackendRefused), ("disabled", ContextTooLong)])
async def test_without_truncation_it_is_refused(truncation, error):
    host = Host(100)
    with pytest.raises(error, match="100 tokens"):
        await policy()(asks(truncation), host)
    assert len(host.asked) == 1


async def test_what_cannot_be_shorter_is_refused_after_all():
    host = Host(5)
    with pytest.raises(ContextTooLong):
        await policy()(asks(messages=[{"role": "user", "content": "word " * 10}]), host)
    host = Host(100)
    with pytest.raises(ContextTooLong):
        await policy()(asks(messages=[*talk(), {"role": "user", "content": "word " * 200}]), host)


async def test_other_refusals_are_no_reason():
    async def refuses(call):
        raise BackendRefused("no", status=400, error_code="invalid")

    with pytest.raises(BackendRefused, match="no"):
        await policy()(asks(), refuses)


async def test_it_is_counted_here_where_the_context_and_the_vocabulary_are_known():
    """For hosts that cut what is too long without a word."""
    host = Host(1_000)
    await policy(400, Words())(asks(messages=talk(30)), host)
    assert len(host.asked) == 1
    assert host.texts()[0] == "brief"
    kept = len(host.texts())
    assert 10 < kept < 62
    with pytest.raises(ContextTooLong, match="exceeds the context window"):
        await policy(400, Words())(asks("disabled", messages=talk(40)), host)
    await policy(400, Words())(asks("disabled"), host)
    await policy(400)(asks("disabled", messages=talk(40)), host)
    await policy(400, Words())(asks("", messages=talk(40)), host)


async def test_both_bodies_become_shorter():
    host = Host(100)
    items = json.dumps({"input": talk()}).encode()
    await policy()(asks(responses=items), host)
    assert json.loads(host.asked[-1].responses)["input"] == json.loads(host.asked[-1].body)["messages"]
    host = Host(100)
    await policy()(asks(body=items, responses=items, only_responses=True), host)
    assert host.asked[-1].responses == host.asked[-1].body


@pytest.mark.parametrize(
    ("error", "so"),
    [
        (BackendRefused("x", status=400, error_code="context_length_exceeded"), True),
        (BackendRefused("x", status=400, type="exceed_context_size_error"), True),
        (BackendRefused("This model's maximum context length is 5 tokens.", status=400, error_code="400"), True),
        (BackendRefused("Your input exceeds the context window of this model.", status=400), True),
        (BackendRefused("the request exceeds the available context size", status=413), True),
        (BackendRefused("context", status=400), False),
        (BackendRefused("maximum context length", status=500), False),
    ],
)
def test_how_hosts_say_so(error, so):
    assert says_too_long(error) is so
