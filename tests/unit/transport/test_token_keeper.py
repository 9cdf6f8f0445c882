"""When tokens are fetched, how long they are used, and what happens while they cannot be had. Time is virtual."""

import asyncio
import logging
from collections import deque

import pytest

from forehearth.core.errors import Unreachable
from forehearth.core.secret import Secret
from forehearth.core.upstream import Origin, Request, Response
from forehearth.ports.token_source import NoToken, Token
from forehearth.testing.clock import VirtualClock
from forehearth.transport.token_keeper import RefusalWatch, Timing, TokenKeepers

HOUR = 3_600.0


class Issuer:
    """Gives what it is told to, and then tokens of `life` seconds, each with its number."""

    def __init__(self, clock: VirtualClock, *, life: float = HOUR, refresh: float | None = None) -> None:
        self.clock = clock
        self.life = life
        self.refresh = refresh
        self.next: deque[Token | Exception] = deque()
        self.takes = 0.0
        self.asked: list[float] = []
        self.busy = 0
        self.busiest = 0

    async def fetch(self) -> Token:
        self.asked.append(self.clock.monotonic())
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        try:
            await self.clock.sleep(self.takes)
        finally:
            self.busy -= 1
        if self.next:
            given = self.next.popleft()
            if isinstance(given, Exception):
                raise given
            return given
        now = self.clock.unix()
        refresh = None if self.refresh is None else now + self.refresh
        return Token(secret=Secret(f"token-{len(self.asked)}"), expires=now + self.life, refresh=refresh)


class Bench:
    """A keeper on a virtual clock."""

    def __init__(self, *, chance: float = 0.0, **issued) -> None:
        self.clock = VirtualClock()
        self.issuer = Issuer(self.clock, **issued)
        timing = Timing(clock=self.clock, sleep=self.clock.sleep, chance=lambda: chance)
        self.keepers = TokenKeepers(timing)
        self.keeper = self.keepers.keeper("credential", lambda: self.issuer, backend="azure")
        self.began = self.clock.monotonic()

    async def begin(self) -> None:
        """As a worker does; a first attempt that takes time is waited for elsewhere."""
        beginning = asyncio.ensure_future(self.keepers.begin())
        await self.clock.advance(0)
        assert beginning.done()

    @property
    def asked(self) -> list[float]:
        """When the issuer was asked, in seconds from the beginning."""
        return [round(each - self.began, 3) for each in self.issuer.asked]

    def token(self) -> str | None:
        """What would be sent now."""
        try:
            return self.keeper.current().reveal()
        except Unreachable:
            return None


@pytest.fixture
async def bench():
    made: list[Bench] = []

    def make(**options) -> Bench:
        made.append(Bench(**options))
        return made[-1]

    yield make
    for each in made:
        await each.keepers.aclose()


async def test_a_token_is_there_when_the_beginning_is_over(bench):
    it = bench()
    await it.begin()
    assert it.token() == "token-1"


@pytest.mark.parametrize(
    ("life", "refresh", "again"),
    [
        (HOUR, None, 0.8 * HOUR),
        (86_400, None, 0.8 * 86_400),
        (1_000, None, 700),  # 80 % would be less than five minutes before the end
        (400, None, 200),  # so would halfway be; earlier it is not
        (10, None, 5),
        (2.1, None, 1.05),
        (86_400, 43_200, 43_200),  # as its issuer wishes
        (HOUR, 3_500, 0.8 * HOUR),  # not as late as that
        (HOUR, -5, 1),  # nor over and over
    ],
)
async def test_the_next_one_is_fetched_in_good_time(bench, life, refresh, again):
    it = bench(life=life, refresh=refresh)
    await it.begin()
    await it.clock.advance(again - 0.01)
    assert it.asked == [0]
    await it.clock.advance(0.02)
    assert it.asked == [0, again]
    assert it.token() == "token-2"


@pytest.mark.parametrize("chance", [0.0, 0.5, 0.999])
async def test_chance_brings_it_forward_and_never_puts_it_off(bench, chance):
    it = bench(chance=chance)
    await it.begin()
    await it.clock.advance(0.8 * HOUR + 1)
    assert it.asked[1] == pytest.approx(0.8 * HOUR * (1 - 0.1 * chance), abs=0.01)


async def test_there_is_always_a_token_while_the_issuer_gives_them(bench):
    it = bench(life=120, chance=0.7)
    await it.begin()
    for _ in range(3_000):
        await it.clock.advance(1)
        assert it.token() is not None
    assert 3_000 / 60 <= len(it.asked) <= 3_000 / 50


async def test_the_old_one_is_used_while_the_next_cannot_be_had_and_never_after_its_end(bench, caplog):
    it = bench()
    await it.begin()
    it.issuer.next.extend([NoToken("out of order")] * 100)
    await it.clock.advance(0.8 * HOUR)
    assert "no token: out of order; the one there is lasts 720 s, next try in 1 s" in caplog.text
    await it.clock.advance(0.2 * HOUR - 3)
    assert it.token() == "token-1"
    assert len(it.asked) > 2
    await it.clock.advance(2)
    assert it.token() is None


async def test_an_issuer_that_hands_out_the_same_token_until_its_end_is_not_stormed(bench):
    it = bench()
    same = Token(secret=Secret("the-same"), expires=it.clock.unix() + HOUR)
    it.issuer.next.extend([same] * 1_000)
    await it.begin()
    await it.clock.advance(HOUR - 5)
    assert it.token() == "the-same"
    assert len(it.asked) < 25


async def test_after_failures_it_waits_longer_each_time_and_at_most_a_minute(bench):
    it = bench()
    it.issuer.next.extend([NoToken("out of order")] * 9)
    await it.begin()
    await it.clock.advance(300)
    assert it.asked == [0, 1, 3, 7, 15, 31, 63, 123, 183, 243]
    assert it.token() == "token-10"
    it.issuer.next.append(NoToken("again"))
    await it.clock.advance(0.8 * HOUR)
    assert it.asked[-1] - it.asked[-2] == 1, "a success does not make it forget its patience"


async def test_the_error_says_when_to_come_back_and_nothing_of_the_reason(bench):
    it = bench()
    it.issuer.next.extend([NoToken("refused with AADSTS7000215")] * 9)
    await it.begin()
    await it.clock.advance(8)
    with pytest.raises(Unreachable) as raised:
        it.keeper.current()
    assert raised.value.retry_elsewhere
    assert raised.value.retry_after == 7
    assert "AADSTS" not in raised.value.message


async def test_before_it_began_there_is_none(bench):
    with pytest.raises(Unreachable) as raised:
        bench().keeper.current()
    assert raised.value.retry_after == 1


@pytest.mark.parametrize(
    ("expires", "text"), [(1.0, "good-but-over"), (HOUR, "two words"), (HOUR, "line\r\nx: y"), (HOUR, ""), (HOUR, "é")]
)
async def test_a_token_that_cannot_be_sent_is_none(bench, expires, text):
    it = bench()
    it.issuer.next.append(Token(secret=Secret(text), expires=it.clock.unix() + expires))
    await it.begin()
    assert it.token() is None
    await it.clock.advance(1)
    assert it.token() == "token-2"


async def test_whatever_goes_wrong_it_tries_again_and_logs_none_of_it(bench, caplog):
    caplog.set_level(logging.DEBUG)
    it = bench()
    it.issuer.next.append(RuntimeError("client_secret=hunter2-hunter2"))
    await it.begin()
    assert it.token() is None
    await it.clock.advance(1)
    assert it.token() == "token-2"
    assert "RuntimeError" in caplog.text
    assert "azure" in caplog.text
    assert "hunter2" not in caplog.text
    assert "token-2" not in caplog.text


async def test_the_issuer_is_asked_once_at_a_time(bench):
    it = bench(life=4)
    it.issuer.takes = 3
    beginning = asyncio.ensure_future(it.keepers.begin())
    for _ in range(200):
        await it.clock.advance(0.5)
        it.token()
    assert beginning.done()
    assert it.issuer.busiest == 1
    assert len(it.asked) > 10


async def test_the_beginning_waits_for_all_and_not_for_ever(bench):
    it = bench()
    it.issuer.takes = 3
    slow = Issuer(it.clock)
    slow.takes = 60
    it.keepers.keeper("other", lambda: slow, backend="b")
    beginning = asyncio.ensure_future(it.keepers.begin(within=5))
    await it.clock.advance(4.9)
    assert it.token() == "token-1"
    assert not beginning.done()
    await it.clock.advance(0.2)
    assert beginning.done()


async def test_the_beginning_does_not_wait_for_what_failed(bench):
    it = bench()
    it.issuer.next.append(NoToken("out of order"))
    await it.begin()


async def test_without_credentials_nothing_is_waited_for():
    async with TokenKeepers() as keepers:
        await keepers.begin(within=1e9)


async def test_one_credential_has_one_keeper(bench):
    it = bench()
    assert it.keepers.keeper("credential", lambda: Issuer(it.clock), backend="second") is it.keeper
    assert it.keepers.keeper("another", lambda: Issuer(it.clock), backend="third") is not it.keeper


async def test_a_machine_that_slept_gets_a_new_token_at_its_first_call(bench):
    it = bench()
    await it.begin()
    it.clock._offset += 2 * HOUR  # the calendar went on, and nobody's sleep did
    assert it.token() is None
    await it.clock.advance(0)
    assert it.token() == "token-2"


async def test_after_its_end_nothing_is_fetched(bench):
    it = bench(life=10)
    await it.begin()
    await it.keepers.aclose()
    await it.clock.advance(100)
    assert it.asked == [0]


async def test_it_ends_while_an_issuer_does_not_answer(bench):
    it = bench()
    it.issuer.takes = 1e9
    beginning = asyncio.ensure_future(it.keepers.begin())
    await it.clock.advance(5)
    await it.keepers.aclose()
    assert beginning.done()
    assert it.issuer.busy == 0


class Host:
    """A sender whose answers have the statuses that it is told."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = deque(statuses)

    async def send(self, request: Request) -> Response:
        return Response(status=self.statuses.popleft())


REQUEST = Request(origin=Origin(scheme="https", host="h"), target=b"/")


async def test_a_401_has_a_new_token_fetched_at_once_and_the_old_one_is_used_until_then(bench):
    it = bench()
    await it.begin()
    it.issuer.takes = 2
    watch = RefusalWatch(Host(401), it.keeper)
    assert (await watch.send(REQUEST)).status == 401
    await it.clock.advance(1)
    assert it.token() == "token-1"
    await it.clock.advance(1)
    assert it.token() == "token-2"
    assert it.keeper.issued == (Secret("token-2"), Secret("token-1"))


async def test_a_host_that_always_answers_401_has_one_fetched_a_minute(bench):
    it = bench()
    await it.begin()
    watch = RefusalWatch(Host(*[401] * 600), it.keeper)
    for _ in range(600):
        await watch.send(REQUEST)
        await it.clock.advance(1)
    assert len(it.asked) == 1 + 10


@pytest.mark.parametrize("status", [200, 400, 403, 404, 429, 500])
async def test_other_answers_have_none_fetched(bench, status):
    it = bench()
    await it.begin()
    assert (await RefusalWatch(Host(status), it.keeper).send(REQUEST)).status == status
    await it.clock.advance(10)
    assert it.asked == [0]


async def test_a_late_401_to_the_token_before_has_none_fetched(bench):
    it = bench()
    await it.begin()
    old = it.keeper.current()
    await it.clock.advance(0.8 * HOUR)
    assert it.token() == "token-2"
    it.keeper.refused(old)
    await it.clock.advance(10)
    assert len(it.asked) == 2


async def test_a_401_does_not_hurry_an_issuer_that_is_out_of_order(bench):
    it = bench()
    await it.begin()
    it.issuer.next.extend([NoToken("out of order")] * 5)
    await it.clock.advance(0.8 * HOUR + 4)
    before = len(it.asked)
    await RefusalWatch(Host(401), it.keeper).send(REQUEST)
    await it.clock.advance(0.5)
    assert len(it.asked) == before
