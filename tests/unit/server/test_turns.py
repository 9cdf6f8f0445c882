"""The key sets of several workers that share their turns: one asks an issuer, and the others know what it said."""

import asyncio
import stat

import pytest

from forehearth.identity.key_sets import KeySet
from forehearth.ports.turns import Heard
from forehearth.server.turns import SharedTurns
from forehearth.testing.clock import VirtualClock
from tests.unit.identity.minting import KEYS_URL, OTHER_KEY, V2, Issuers, jwk


class Workers:
    """The key sets that some workers of one server have of one issuer."""

    def __init__(self, folder, count=4):
        self.issuers, self.clock = Issuers(), VirtualClock()
        self.sets = [
            KeySet(V2, url=KEYS_URL, fetch=self.issuers, clock=self.clock, turns=SharedTurns(folder))
            for _ in range(count)
        ]

    async def ask(self, key_id, *sets):
        """Which of these workers, or of all, know a key once they have asked for it."""
        wanted = sets or self.sets
        await asyncio.gather(*(each.refreshed() for each in wanted if each.find(key_id) is None))
        return [each.find(key_id) is not None for each in wanted]

    @property
    def fetched(self):
        return self.issuers.fetched[KEYS_URL]


async def test_all_workers_share_one_fetch(tmp_path):
    workers = Workers(tmp_path)
    assert await workers.ask("one") == [True] * 4
    assert workers.fetched == 1


async def test_a_storm_in_every_worker_is_one_fetch_in_thirty_seconds(tmp_path):
    workers = Workers(tmp_path)
    seconds = 300
    for number in range(seconds):
        assert await workers.ask(f"nobodys-{number}", workers.sets[number % 4]) == [False]
        await workers.clock.advance(1)
    assert workers.fetched == seconds / 30


async def test_a_new_key_is_known_to_whoever_asks_after_another_worker_did(tmp_path):
    workers = Workers(tmp_path, 2)
    first, second = workers.sets
    assert await workers.ask("one") == [True, True]
    workers.issuers.keys.append(jwk(OTHER_KEY, "two"))
    await workers.clock.advance(30)
    assert await workers.ask("two", first) == [True]
    await workers.clock.advance(29)
    assert await workers.ask("two", second) == [True]
    assert workers.fetched == 2
    await workers.clock.advance(1)
    assert second.may_fetch  # counted from when it was asked, and not from when this one looked


async def test_an_issuer_that_is_down_is_asked_by_one_of_them(tmp_path):
    workers = Workers(tmp_path)
    workers.issuers.down = True
    assert await workers.ask("one") == [False] * 4
    assert workers.fetched == 1
    workers.issuers.down = False
    await workers.clock.advance(30)
    assert await workers.ask("one") == [True] * 4
    assert workers.fetched == 2


async def test_of_two_issuers_each_has_its_turns(tmp_path):
    workers = Workers(tmp_path, 1)
    other = KeySet(
        "https://b.example", url="https://b.example/k", fetch=workers.issuers, clock=workers.clock,
        turns=SharedTurns(tmp_path),
    )  # fmt: skip
    assert await workers.ask("one", workers.sets[0], other) == [True, True]
    assert sum(workers.issuers.fetched.values()) == 2


async def test_the_turn_is_one_workers_and_goes_to_the_next_when_that_is_cut_off(tmp_path):
    began, order = asyncio.Event(), []

    async def hold(name, seconds):
        async with SharedTurns(tmp_path).of(V2):
            order.append(name)
            began.set()
            await asyncio.sleep(seconds)

    first = asyncio.create_task(hold("first", 60))
    await began.wait()
    second = asyncio.create_task(hold("second", 0))
    await asyncio.sleep(0.12)
    assert order == ["first"]
    first.cancel()
    await second
    assert order == ["first", "second"]


@pytest.mark.parametrize("damage", [b"", b"{", b'{"at": "x", "document": null}'])
async def test_what_cannot_be_read_is_asked_for_anew(tmp_path, damage, caplog):
    turns = SharedTurns(tmp_path)
    async with turns.of(V2) as turn:
        assert turn.heard is None
        turn.tell(Heard(at=1.0, document=b"keys"))
        assert turn.heard == Heard(at=1.0, document=b"keys")
    (left,) = [each for each in (tmp_path / "issuers").iterdir() if not each.suffix]
    assert stat.S_IMODE(left.stat().st_mode) == 0o600
    left.write_bytes(damage)
    async with turns.of(V2) as turn:
        assert turn.heard is None
    assert "cannot be read" in caplog.text


async def test_where_nothing_can_be_left_each_asks_by_itself(tmp_path, caplog):
    workers = Workers(tmp_path, 2)
    (tmp_path / "issuers").rmdir()
    assert await workers.ask("one") == [False, False]  # not even a turn can be had: a token is refused, and it is said
    assert "could not be fetched" in caplog.text
