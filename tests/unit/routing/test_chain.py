"""Chains: the next deployment serves when the one before cannot, and only then."""

import pytest

from forehearth.core.errors import AllBusy, AllDown, BackendRefused, Broken, ForehearthError, InvalidField, Unreachable
from forehearth.core.exchange import Reply
from forehearth.core.settings import ModelSettings
from forehearth.routing.chain import serve
from forehearth.routing.deployment import Deployment
from tests.unit.routing.pools import a_call

CHAIN = tuple(Deployment(name=name, facts=ModelSettings(), backends=()) for name in ("a", "b", "c"))


async def served(*outcomes):
    """What comes of a chain whose deployments do this."""
    asked = []

    def onion(name, outcome):
        async def answer(call):
            asked.append((name, call.record.deployment))
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        return answer

    chain = CHAIN[: len(outcomes)]
    onions = {each.name: onion(each.name, outcome) for each, outcome in zip(chain, outcomes, strict=True)}
    call = a_call()
    try:
        deployment, reply = await serve(chain, call, onions)
    except ForehearthError as error:
        return asked, error, call.record
    return asked, (deployment.name, dict(reply.headers)), call.record


OK = Reply(status=200, headers=((b"x", b"y"),))


async def test_the_first_that_serves_is_the_only_one_asked():
    asked, outcome, record = await served(OK, OK)
    assert asked == [("a", "a")]
    assert outcome == ("a", {b"x": b"y"})
    assert record.deployment == "a"


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (AllBusy("x"), b"429"),
        (AllDown("x"), b"503"),
        (Unreachable("x"), b"503"),
        (BackendRefused("x", status=429), b"429"),
        (BackendRefused("x", status=500), b"500"),
        (BackendRefused("x", status=401), b"503"),
    ],
)
async def test_the_next_one_serves_when_it_cannot(failure, status):
    asked, outcome, record = await served(failure, OK)
    assert asked == [("a", "a"), ("b", "b")]
    assert outcome == (
        "b",
        {b"x": b"y", b"x-ms-spillover-from-deployment": b"a", b"x-ms-spillover-error": status},
    )
    assert record.deployment == "b"
    assert record.words == [("route", f"a could not serve: {failure.code}.")]


@pytest.mark.parametrize("failure", [Broken("x"), InvalidField("x"), BackendRefused("x", status=400)])
async def test_nobody_else_is_asked_where_the_call_may_be_done_or_is_wrong(failure):
    asked, outcome, _ = await served(failure, OK)
    assert (asked, outcome) == ([("a", "a")], failure)


async def test_where_none_can_the_soonest_time_of_all_is_told():
    _, outcome, _ = await served(AllBusy("x", retry_after=2.0), Unreachable("y"), AllDown("z", retry_after=9.0))
    assert outcome.retry_after == 2.0
    _, outcome, _ = await served(AllDown("x", retry_after=4.0), Unreachable("y"))
    assert outcome.retry_after == 4.0
    _, outcome, _ = await served(AllDown("x", retry_after=4.0), InvalidField("y"))
    assert outcome.retry_after is None


async def test_the_last_one_says_what_is_wrong():
    last = AllBusy("z", retry_after=3.0)
    asked, outcome, record = await served(AllDown("x"), Unreachable("y"), last)
    assert [name for name, _ in asked] == ["a", "b", "c"]
    assert outcome is last
    assert outcome.headers == ((b"x-ms-spillover-from-deployment", b"a"), (b"x-ms-spillover-error", b"503"))
    assert record.deployment == "c"
