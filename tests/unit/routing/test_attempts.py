"""Attempts: who is asked after whom, when nobody is asked any more, and what callers and records are told."""

import asyncio

import pytest

from forehearth.core.backend_state import State
from forehearth.core.errors import (
    AllBusy,
    AllDown,
    BackendRefused,
    Broken,
    NotSupported,
    Overloaded,
    TimedOut,
    Unreachable,
)
from forehearth.core.routing_settings import BackendLimits, HealthSettings, RetrySettings
from forehearth.core.usage import Usage
from tests.unit.doors import Host, answer, streamed
from tests.unit.routing.pools import OK, Table, a_call

BUSY = answer({}, 429)
ILL = answer({}, 500)


def busy(seconds):
    return answer({}, 429, retry_after=str(seconds))


def states(board):
    now = board.clock.monotonic()
    return [member.state(0, now) for member in board.pool.members]


async def test_an_answer_is_noted_with_who_gave_it_and_how_soon():
    board = Table(Host(OK))
    call, reply = await board.ask()
    assert reply.status == 200
    (attempt,) = call.record.attempts
    assert (attempt.backend, attempt.outcome, attempt.status) == ("one", "ok", 200)
    assert (call.record.backend, call.record.model) == ("one", "one-model")
    assert board.counts.attempts == [("one", "ok")]
    assert (board.member("one").calls, board.member("one").in_flight) == (1, 0)


async def test_streams_and_whole_answers_are_timed_apart():
    board = Table(Host(OK, streamed(b"x")))
    member = board.member("one")
    await board.ask()
    assert (member.answers.median, member.streams.median) == (0.0, None)
    await board.ask(a_call(stream=True))
    assert member.streams.median == 0.0


async def test_every_try_is_noted():
    board = Table(Host(Unreachable("x")), Host(ILL), Host(OK))
    call, _ = await board.ask()
    assert [(each.backend, each.outcome, each.status) for each in call.record.attempts] == [
        ("one", "backend_unreachable", 0),
        ("two", "backend_refused", 500),
        ("three", "ok", 200),
    ]
    assert board.counts.attempts == [("one", "backend_unreachable"), ("two", "backend_refused"), ("three", "ok")]


@pytest.mark.parametrize(
    "failure",
    [Unreachable("x"), Overloaded("x"), TimedOut("x", phase="connect"), BUSY, ILL]
    + [answer({}, status) for status in (401, 403, 404, 408, 502, 503, 504, 529)],
)
async def test_the_next_one_is_asked_where_nothing_was_carried_out(failure):
    assert await Table(Host(failure), Host(OK)).tried() == ["one", "two"]


@pytest.mark.parametrize(
    "failure",
    [Broken("x"), TimedOut("x", phase="first byte"), TimedOut("x", phase="total"), answer({}, 400), answer({}, 422)],
)
async def test_nobody_else_is_asked_where_something_may_have_been(failure):
    board = Table(Host(failure), Host(OK))
    assert await board.tried() == ["one"]
    assert board.hosts["two"].requests == []


async def test_nobody_is_asked_twice_for_one_call():
    assert await Table(Host(ILL), Host(ILL)).tried() == ["one", "two"]


async def test_a_stream_that_began_is_never_asked_for_again():
    board = Table(Host(streamed(b"data: 1\n\n", Broken("cut"))), Host(OK))
    call, reply = await board.ask(a_call(stream=True), closed=False)
    assert await anext(reply.stream) == b"data: 1\n\n"
    with pytest.raises(Broken):
        await anext(reply.stream)
    assert [each.backend for each in call.record.attempts] == ["one"]
    assert board.hosts["two"].requests == []


async def test_a_stream_that_breaks_off_counts_against_its_backend():
    board = Table(Host(*(streamed(b"data: 1\n\n") for _ in range(3))), Host(OK))
    for _ in range(3):
        call, _ = await board.ask(a_call(stream=True), closed=False)
        call.record.outcome = "backend_broken"
        call.record.close()
    assert states(board) == [State.EJECTED, State.READY]
    assert board.member("one").failures == 3


@pytest.mark.parametrize("outcome", ["ok", "client_left"])
async def test_a_stream_that_a_client_left_does_not(outcome):
    board = Table(Host(streamed(b"data: 1\n\n")), Host(OK), health=HealthSettings(failures=1))
    call, _ = await board.ask(a_call(stream=True), closed=False)
    assert board.member("one").in_flight == 1
    call.record.outcome = outcome
    call.record.close()
    assert states(board) == [State.READY, State.READY]
    assert board.member("one").in_flight == 0


async def test_an_answer_that_is_no_object_is_followed_to_its_end():
    board = Table(Host(answer(b"<html>")), Host(OK), health=HealthSettings(failures=1))
    call, _ = await board.ask(closed=False)
    call.record.outcome = "backend_broken"
    call.record.close()
    assert states(board) == [State.EJECTED, State.READY]


async def test_failures_eject_it_is_tried_by_one_call_and_comes_back():
    board = Table(Host(ILL, ILL, ILL, OK), Host(OK))
    for _ in range(3):
        assert await board.tried() == ["one", "two"]
    assert board.watched.ejections == ["one"]
    assert await board.tried() == ["two"]
    board.pass_time(4.9)
    assert await board.tried() == ["two"]
    board.pass_time(0.1)
    assert await board.tried() == ["one"]
    assert states(board) == [State.READY, State.READY]


async def test_a_trial_is_one_call_at_a_time():
    class Slow(Host):
        async def send(self, request):
            await asyncio.sleep(0)
            return await super().send(request)

    board = Table(Slow(ILL, OK), Host(OK), health=HealthSettings(failures=1))
    await board.ask()
    board.pass_time(5.0)
    both = await asyncio.gather(board.tried(), board.tried(), board.tried())
    assert sorted(both) == [["one"], ["two"], ["two"]]


async def test_a_trial_that_its_client_leaves_is_no_answer():
    board = Table(Host(ILL, asyncio.CancelledError(), OK), Host(OK), health=HealthSettings(failures=1))
    await board.ask()
    board.pass_time(5.0)
    call = a_call()
    with pytest.raises(asyncio.CancelledError):
        await board.attempts(call)
    assert call.record.attempts[0].outcome == "client_left"
    assert (board.member("one").in_flight, states(board)[0]) == (0, State.DUE)
    assert await board.tried() == ["one"]


async def test_a_call_that_a_host_cannot_be_asked_is_let_go():
    board = Table(Host(NotSupported("no such thing")))
    call = a_call()
    with pytest.raises(NotSupported):
        await board.attempts(call)
    assert call.record.attempts[0].outcome == "unsupported_value"
    assert board.member("one").in_flight == 0


@pytest.mark.parametrize("status", [400, 404, 413, 422])
async def test_the_callers_fault_is_not_the_backends_but_a_missing_model_is(status):
    board = Table(Host(answer({}, status)), Host(OK), health=HealthSettings(failures=1))
    await board.tried()
    assert states(board)[0] is (State.EJECTED if status == 404 else State.READY)


async def test_a_hosts_wish_is_obeyed_and_then_it_is_asked_again():
    board = Table(Host(busy(7), OK), Host(OK))
    assert await board.tried() == ["one", "two"]
    board.pass_time(6.9)
    assert await board.tried() == ["two"]
    board.pass_time(0.1)
    assert await board.tried() == ["one"]
    assert (board.member("one").busy, board.member("one").failures) == (1, 0)


async def test_a_busy_host_that_says_no_time_gets_a_moment():
    board = Table(Host(BUSY, OK), Host(OK))
    await board.ask()
    assert await board.tried() == ["two"]
    board.pass_time(0.25)
    assert await board.tried() == ["one"]


async def test_a_limit_of_which_nothing_is_left_is_a_wish_too():
    spent = answer({"choices": []}, x_ratelimit_remaining_tokens="0", x_ratelimit_reset_tokens="20")
    board = Table(Host(spent), Host(OK))
    assert await board.tried() == ["one"]
    assert await board.tried() == ["two"]
    board.pass_time(20.0)
    assert await board.tried() == ["one"]


async def test_an_overloaded_host_is_left_alone_and_not_blamed():
    board = Table(Host(Overloaded("full", retry_after=2.0), OK), Host(OK), health=HealthSettings(failures=1))
    await board.ask()
    assert states(board)[0] is State.WAITING
    assert board.member("one").failures == 0


async def test_all_busy_is_said_at_once_with_the_soonest_time():
    board = Table(Host(busy(30)), Host(busy(7)))
    first = await board.told()
    assert isinstance(first, BackendRefused)
    assert (first.status, first.retry_after) == (429, 7.0)
    board.pass_time(2.0)
    error = await board.told()
    assert isinstance(error, AllBusy)
    assert error.retry_after == 5.0
    assert [len(host.requests) for host in board.hosts.values()] == [1, 1]


async def test_all_down_is_said_at_once_with_the_soonest_time():
    board = Table(Host(Unreachable("x")), Host(Unreachable("x")), health=HealthSettings(failures=1, largest_share=1.0))
    assert isinstance(await board.told(), Unreachable)
    board.pass_time(2.0)
    error = await board.told()
    assert isinstance(error, AllDown)
    assert error.retry_after == 3.0
    assert [len(host.requests) for host in board.hosts.values()] == [1, 1]


async def test_the_failure_that_ejects_the_only_one_says_when_it_is_asked_again():
    board = Table(Host(Unreachable("x")), health=HealthSettings(failures=2, largest_share=1.0))
    assert (await board.told()).retry_after is None
    assert (await board.told()).retry_after == 5.0


async def test_while_the_last_one_is_tried_the_others_come_again_soon():
    class Slow(Host):
        async def send(self, request):
            await asyncio.sleep(0)
            return await super().send(request)

    board = Table(Slow(ILL, OK), health=HealthSettings(failures=1, largest_share=1.0))
    await board.told()
    board.pass_time(5.0)
    trial, error = await asyncio.gather(board.tried(), board.told())
    assert trial == ["one"]
    assert isinstance(error, AllDown)
    assert error.retry_after == 0.25


async def test_one_that_is_well_but_busy_makes_it_busy_not_down():
    board = Table(Host(ILL), Host(busy(7)), health=HealthSettings(failures=1, largest_share=1.0))
    await board.told()
    error = await board.told()
    assert isinstance(error, AllBusy)
    assert error.retry_after == 5.0


async def test_the_only_backend_is_never_ejected_but_its_wish_is_obeyed():
    board = Table(Host(Unreachable("x")))
    for _ in range(10):
        assert isinstance(await board.told(), Unreachable)
    assert len(board.hosts["one"].requests) == 10
    board = Table(Host(busy(7), OK))
    await board.told()
    assert isinstance(await board.told(), AllBusy)
    board.pass_time(7.0)
    assert await board.tried() == ["one"]


async def test_a_host_that_says_when_it_will_be_back_is_no_failure():
    away = answer({}, 503, retry_after="9")
    board = Table(Host(away, OK), Host(OK), health=HealthSettings(failures=1))
    await board.ask()
    assert states(board)[0] is State.WAITING
    board.pass_time(9.0)
    assert await board.tried() == ["one"]
    assert isinstance(await Table(Host(away)).told(), BackendRefused)


@pytest.mark.parametrize(("wait", "obey"), [("0", 60.0), ("9", 0.0)])
async def test_but_it_is_one_where_that_is_no_time_or_not_obeyed(wait, obey):
    away = answer({}, 503, retry_after=wait)
    board = Table(Host(away), Host(OK), health=HealthSettings(failures=1, obey_seconds=obey))
    await board.ask()
    assert states(board)[0] is State.EJECTED


async def test_when_all_are_away_it_is_said_that_they_are():
    board = Table(Host(answer({}, 503, retry_after="9")))
    await board.told()
    error = await board.told()
    assert isinstance(error, AllDown)
    assert error.retry_after == 9.0


async def test_a_trial_that_says_it_is_still_away_stays_out():
    board = Table(Host(ILL, answer({}, 503, retry_after="9"), OK), Host(OK), health=HealthSettings(failures=1))
    await board.ask()
    board.pass_time(5.0)
    await board.ask()
    assert states(board)[0] is State.WAITING
    board.pass_time(9.0)
    assert states(board)[0] is State.DUE


async def test_the_retry_budget_ends_the_tries():
    board = Table(Host(ILL), Host(OK), retries=RetrySettings(share=0.2, at_least=1), health=HealthSettings(failures=99))
    outcomes = [await board.tried() for _ in range(13)]
    assert outcomes == [["one", "two"]] * 10 + [["one"]] * 3
    assert board.watched.retries == [True] * 10 + [False] * 3
    call = a_call()
    await board.tried(call)
    assert call.record.words == [
        ("routing", "No other backend was asked: there were too many retries in the last seconds.")
    ]


async def test_who_could_not_be_connected_to_costs_no_budget():
    never = RetrySettings(share=0.0, at_least=0)
    for failure in (Unreachable("x"), TimedOut("x", phase="connect")):
        board = Table(Host(failure), Host(OK), retries=never)
        assert await board.tried() == ["one", "two"]
        assert board.watched.retries == []
    assert await Table(Host(ILL), Host(OK), retries=never).tried() == ["one"]


async def test_no_more_tries_than_the_setting():
    board = Table(Host(ILL), Host(ILL), Host(OK), retries=RetrySettings(attempts=2))
    assert await board.tried() == ["one", "two"]


async def test_the_deadline_is_one_for_all_tries():
    class Slow(Host):
        async def send(self, request):
            board.pass_time(4.0)
            return await super().send(request)

    board = Table(Slow(ILL), Slow(ILL), Slow(OK), deadline=10.0)
    await board.ask()
    assert [host.requests[0].timeouts.total for host in board.hosts.values()] == [10.0, 6.0, 2.0]
    assert board.hosts["three"].requests[0].timeouts.connect == 2.0
    board = Table(Slow(ILL), Slow(ILL), Slow(OK), deadline=8.0)
    assert await board.tried() == ["one", "two"]


async def test_the_deadline_is_one_for_a_whole_chain():
    first, second = Table(Host(ILL), deadline=10.0), Table(Host(OK), deadline=10.0)
    second.attempts._now = first.clock.monotonic
    call = a_call()
    await first.tried(call)
    first.pass_time(6.0)
    await second.attempts(call)
    assert second.hosts["one"].requests[0].timeouts.total == 4.0
    first.pass_time(4.0)
    with pytest.raises(TimedOut):
        await second.attempts(call)
    assert len(second.hosts["one"].requests) == 1


async def test_what_nobody_foresaw_is_let_go():
    board = Table(Host(RuntimeError("x")))
    call = a_call()
    with pytest.raises(RuntimeError):
        await board.attempts(call)
    assert call.record.attempts[0].outcome == "internal_error"
    assert (board.member("one").in_flight, states(board)) == (0, [State.READY])


async def test_a_late_try_without_time_is_not_blamed_for_it():
    board = Table(Host(ILL), Host(TimedOut("x", phase="total")), health=HealthSettings(failures=1))
    await board.told()
    assert board.member("two").failures == 0
    board = Table(Host(TimedOut("x", phase="total")), Host(OK), health=HealthSettings(failures=1))
    await board.told()
    assert board.member("one").failures == 1


async def test_a_backend_that_is_full_passes_calls_on():
    board = Table(Host(streamed(b"x")), Host(OK), each=[{"limits": BackendLimits(concurrent_calls=1)}])
    call, _ = await board.ask(a_call(stream=True), closed=False)
    assert await board.tried() == ["two"]
    call.record.close()
    assert await board.tried() == ["one"]


async def test_tokens_are_booked_as_reserved_and_settled_as_used():
    board = Table(Host(OK), Host(OK), each=[{"limits": BackendLimits(tokens_per_minute=100)}])
    call = a_call()
    call.record.reserved = 90
    call.record.usage = Usage(prompt=10, completion=5)
    await board.ask(call)
    capacity = board.member("one").capacity
    now = board.clock.monotonic()
    assert (capacity.fits(85, now), capacity.fits(86, now)) == (True, False)


async def test_a_refused_call_used_no_tokens():
    board = Table(Host(ILL), Host(OK), each=[{"limits": BackendLimits(tokens_per_minute=100)}])
    call = a_call()
    call.record.reserved = 90
    await board.ask(call)
    assert board.member("one").capacity.fits(100, board.clock.monotonic())


async def test_without_a_reservation_tokens_go_by_length():
    board = Table(Host(OK), Host(OK), each=[{"limits": BackendLimits(tokens_per_minute=100)}])
    assert await board.tried(a_call(b" " * 240)) == ["one"]
    assert await board.tried(a_call(b" " * 240)) == ["two"]


def spillover(reply):
    return {name.decode(): value.decode() for name, value in reply.headers if b"spillover" in name}


PROVISIONED = [{"priority": 1}, {"priority": 2}]


async def test_spillover_is_told_as_the_service_tells_it():
    board = Table(Host(busy(7), OK), Host(OK), each=PROVISIONED)
    expected = {"x-ms-spillover-from-deployment": "chat", "x-ms-spillover-error": "429"}
    call, reply = await board.ask()
    assert spillover(reply) == expected
    _, reply = await board.ask()
    assert spillover(reply) == expected, "its wish is obeyed: it is not asked, and it is a spillover as well"
    assert board.watched.spillovers == 2
    assert ("routing", "It spilled over to two: status 429 before.") in call.record.words
    board.pass_time(7.0)
    assert spillover((await board.ask())[1]) == {}


async def test_a_full_backend_spills_over_too():
    limits = BackendLimits(requests_per_minute=1)
    board = Table(Host(OK), Host(OK), each=[{"limits": limits}, {"priority": 2}])
    assert spillover((await board.ask())[1]) == {}
    assert spillover((await board.ask())[1])["x-ms-spillover-error"] == "429"


async def test_an_ill_backend_spills_over_with_its_status():
    _, reply = await Table(Host(answer({}, 503)), Host(OK), each=PROVISIONED).ask()
    assert spillover(reply)["x-ms-spillover-error"] == "503"


@pytest.mark.parametrize("failure", [Unreachable("x"), answer({}, 401)])
async def test_what_is_no_answer_of_a_busy_host_is_no_spillover(failure):
    board = Table(Host(failure), Host(OK), each=PROVISIONED)
    assert spillover((await board.ask())[1]) == {}
    assert board.watched.spillovers == 0


@pytest.mark.parametrize("second", [answer({}, 400), BUSY])
async def test_a_spillover_that_fails_too_is_told_all_the_same(second):
    error = await Table(Host(answer({}, 503)), Host(second), each=PROVISIONED).told()
    assert error.headers == (
        (b"x-ms-spillover-from-deployment", b"chat"),
        (b"x-ms-spillover-error", b"503"),
    )


async def test_among_equals_nothing_spills_over():
    board = Table(Host(BUSY), Host(OK))
    assert [spillover((await board.ask())[1]) for _ in range(2)] == [{}, {}]


async def test_the_record_says_who_was_left_out_and_why():
    board = Table(Host(ILL), Host(OK), health=HealthSettings(failures=1))
    await board.ask()
    call, _ = await board.ask()
    assert call.record.words == [("routing", "one was not asked: ejected, status 500.")]


async def test_what_only_the_responses_api_can_say_goes_to_hosts_that_have_it():
    have_it = ({"responses": False}, {"responses": True}, {"responses": True})
    board = Table(Host(OK, OK, OK), Host(BUSY), Host(OK), each=have_it)
    call, reply = await board.ask(a_call(responses=b"{}", only_responses=True))
    assert [each.backend for each in call.record.attempts] == ["two", "three"]
    assert reply.in_responses
    _, reply = await board.ask(a_call(responses=b"{}"))
    assert not reply.in_responses, "the first one was asked, as chat completions"
