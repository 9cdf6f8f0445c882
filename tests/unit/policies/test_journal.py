"""What is written down of a call, and when: before it is sent, and at its end, however it ends."""

import os
from errno import ENOSPC
from pathlib import Path
from typing import Any

import msgspec
import pytest

from forehearth.accounting import segments
from forehearth.accounting.journal import Journal
from forehearth.accounting.journal import segments as segments_of
from forehearth.accounting.outcomes import MOST_WORDS, crashed
from forehearth.accounting.served import Price, Served
from forehearth.core.call import Call, Operation
from forehearth.core.errors import AllDown, LedgerUnwritable
from forehearth.core.exchange import Reply
from forehearth.core.ledger import Account, Detail, Intent, LedgerRecord, Outcomes, detail_of, record_of
from forehearth.core.principal import Principal
from forehearth.core.record import Attempt, CallRecord, Touched
from forehearth.core.usage import Usage
from forehearth.policies.journal import Soon, WriteDown
from forehearth.policies.onion import Proceed, compose
from forehearth.testing.clock import VirtualClock
from tests.unit.accounting.books import Counts, intent

REPLY = Reply(status=200)
decode = msgspec.json.Decoder(Intent | Outcomes).decode
BOUND = Usage(prompt=70, completion=4_096, counted=True)


def price_of(backend: str, model: str, usage: Usage) -> Price | None:
    """A unit a token at backend `one`, two where it is not known which; `two` has no price."""
    rate = {"one": 1, "": 2}.get(backend)
    return None if rate is None else Price(rate * (usage.prompt + usage.completion), "USD", "test")


class Office:
    """A journal in a folder, and what writes to it."""

    def __init__(self, folder: Path, *, refuses: bool = True, soon: Soon | None = None) -> None:
        self.room = True
        self.lost: list[int] = []
        self.journal = Journal.create(folder, "0-1", write=self._write, lost=self.lost.append)
        self.clock = VirtualClock()
        self.counts = Counts()
        self.writing = WriteDown(self.journal, self.clock, self.counts, refuses=refuses, soon=soon)
        for label, resource in (("chat", "here"), ("there/chat", "there"), ("small", "here")):
            name = label.rpartition("/")[2]
            self.writing.served[label] = Served(resource=resource, name=name, price_of=price_of, bound=lambda _: BOUND)

    def _write(self, file: int, data: bytes) -> int:
        if not self.room:
            raise OSError(ENOSPC, "No space left on device")
        return os.write(file, data)

    def written(self) -> list[Intent | LedgerRecord]:
        found: list[Intent | LedgerRecord] = []
        for path in segments_of(self.journal.folder):
            for payload in segments.read(path, 0, over=True).payloads:
                each = decode(payload)
                found += map(record_of, each.calls) if isinstance(each, Outcomes) else [each]
        return found

    def way(self, *between: Any, rest: Proceed | None = None) -> Proceed:
        return compose([self.writing.outcomes, *between, self.writing.intents], rest or _answer)

    def call(self, **others: Any) -> Call:
        who = Principal(name="shop", kind="key", id="key_1", product="gold")
        usual: dict[str, Any] = {
            "request_id": "id-1",
            "surface": "openai_v1",
            "operation": Operation.CHAT,
            "name": "default",
            "body": b"{}",
            "project": "sales",
            "principal": who,
            "started": self.clock.monotonic(),
            "record": CallRecord(deployment="chat"),
        }
        return Call(**usual | others)


async def _answer(call: Call) -> Reply:
    """A backend that answers and says what it used."""
    record = call.record
    record.attempts.append(Attempt(backend="one", began=call.started + 0.25, outcome="ok", status=200, seconds=0.5))
    record.backend, record.model = "one", "gpt-4o"
    record.usage = Usage(prompt=12, completion=30, cached=5, reasoning=7)
    return REPLY


def over(call: Call, status: int = 200, outcome: str = "ok") -> None:
    """What the gateway does at the end."""
    call.record.status, call.record.outcome = status, call.record.outcome or outcome
    call.record.close()


@pytest.fixture
def office(tmp_path: Path):
    made = Office(tmp_path / "journal")
    yield made
    made.journal.close()


WHO = Account(
    resource="here",
    project="sales",
    caller_kind="key",
    caller_id="key_1",
    caller_name="shop",
    product="gold",
    surface="openai_v1",
    operation="chat_completions",
    stream=False,
    asked="default",
    deployment="chat",
)


def _expected(arrived: float, detail: msgspec.Raw) -> LedgerRecord:
    return LedgerRecord(
        id="id-1",
        at=arrived,
        account=WHO,
        backend="one",
        model="gpt-4o",
        attempts=1,
        prompt=12,
        completion=30,
        cached=5,
        reasoning=7,
        counted=False,
        reserved=540,
        amount=42,
        currency="USD",
        price_version="test",
        queued=0.125,
        first_byte=0.5,
        seconds=2.0,
        status=200,
        outcome="ok",
        cache="miss",
        flag="",
        detail=detail,
    )


async def test_a_call_is_written_down_before_it_is_sent_and_at_its_end(office: Office):
    seen: list[Intent | LedgerRecord] = []

    async def rest(call: Call) -> Reply:
        seen.extend(office.written())
        await office.clock.advance(2.0)
        return await _answer(call)

    arrived = office.clock.unix()
    call = office.call(
        record=CallRecord(
            deployment="chat",
            estimated=40,
            reserved=540,
            queued=0.125,
            first_byte=0.5,
            cache="miss",
            limits=[Touched(name="deployments.chat.limits[0].tokens_per_minute", reserved=540, left=60)],
            words=[("routing", "It spilled over.")],
        )
    )
    await office.way(rest=rest)(call)
    assert seen == [Intent(id="id-1", at=arrived, account=WHO, prompt=40, reserved=540)]
    assert office.written() == seen
    over(call)
    (found,) = office.written()[1:]
    assert isinstance(found, LedgerRecord)
    assert found == _expected(arrived, found.detail)
    assert detail_of(found) == Detail(
        started=call.started,
        estimated=40,
        attempts=tuple(call.record.attempts),
        limits=tuple(call.record.limits),
        words=(("routing", "It spilled over."),),
    )


async def test_where_nothing_was_reserved_the_intent_has_the_bound(office: Office):
    await office.way()(office.call())
    (found,) = office.written()
    assert isinstance(found, Intent)
    assert (found.prompt, found.reserved) == (70, 4_166)


async def test_a_call_that_a_limit_refuses_has_no_intent_and_no_tokens(office: Office):
    async def refuses(call: Call, proceed: Proceed) -> Reply:
        call.record.say("limits", "There is no room.")
        raise AllDown("no")

    call = office.call()
    with pytest.raises(AllDown):
        await office.way(refuses)(call)
    over(call, 429, "too_many_requests")
    (found,) = office.written()
    assert isinstance(found, LedgerRecord)
    assert (found.outcome, found.status, found.prompt, found.completion) == ("too_many_requests", 429, 0, 0)
    assert (found.amount, found.currency, found.price_version, found.flag) == (0, "", "", "")
    assert detail_of(found) == Detail(started=call.started, words=(("limits", "There is no room."),))
    assert office.journal.under_way == 0


async def test_what_a_cache_answers_costs_nothing(office: Office):
    async def answers(call: Call, proceed: Proceed) -> Reply:
        call.record.cache, call.record.usage = "hit", Usage(prompt=0)
        return REPLY

    call = office.call()
    await office.way(answers)(call)
    over(call)
    (found,) = office.written()
    assert isinstance(found, LedgerRecord)
    assert (found.cache, found.amount, found.attempts, found.flag) == ("hit", 0, 0, "")


async def test_a_route_that_falls_through_is_one_call_of_the_last_deployment(office: Office):
    call = office.call()

    async def down(call: Call) -> Reply:
        call.record.attempts.append(
            Attempt(backend="one", began=call.started, outcome="backend_unreachable", may_have_used=False)
        )
        raise AllDown("no")

    with pytest.raises(AllDown):
        await office.way(rest=down)(call)
    call.record.deployment = "small"
    await office.way()(call)
    over(call)
    intents = [each.account.deployment for each in office.written() if isinstance(each, Intent)]
    (found,) = (each for each in office.written() if isinstance(each, LedgerRecord))
    assert intents == ["chat", "small"]
    assert (found.account.deployment, found.attempts, found.prompt) == ("small", 2, 12)
    assert office.journal.under_way == 0


async def test_a_deployment_is_known_by_its_resource(office: Office):
    call = office.call(record=CallRecord(deployment="there/chat"))
    await office.way()(call)
    over(call)
    assert {(each.account.resource, each.account.deployment) for each in office.written()} == {("there", "chat")}


@pytest.mark.parametrize(
    ("outcome", "tried", "flag"),
    [
        ("client_left", "client_left", "cut"),
        ("backend_broken", "backend_broken", "cut"),
        ("backend_timeout", "backend_timeout", "cut"),
        ("ok", "ok", "unreported"),
    ],
)
@pytest.mark.parametrize("reserved", [0, 540])
async def test_a_call_whose_usage_nobody_told_is_booked_at_its_bound(
    office: Office, outcome: str, tried: str, flag: str, reserved: int
):
    call = office.call(record=CallRecord(deployment="chat", estimated=40 if reserved else 0, reserved=reserved))

    async def rest(call: Call) -> Reply:
        call.record.attempts.append(Attempt(backend="one", began=call.started, outcome=tried))
        return REPLY

    await office.way(rest=rest)(call)
    over(call, 499, outcome)
    found = office.written()[-1]
    assert isinstance(found, LedgerRecord)
    assert (found.prompt, found.completion) == ((40, 500) if reserved else (70, 4_096))
    assert (found.flag, found.counted, found.amount) == (flag, True, 2 * (found.prompt + found.completion))


async def test_a_call_that_was_certainly_not_carried_out_used_nothing(office: Office):
    call = office.call(record=CallRecord(deployment="chat", estimated=40, reserved=540))

    async def rest(call: Call) -> Reply:
        call.record.attempts.append(
            Attempt(backend="one", began=call.started, outcome="backend_refused", status=429, may_have_used=False)
        )
        raise AllDown("no")

    with pytest.raises(AllDown):
        await office.way(rest=rest)(call)
    over(call, 503, "backends_down")
    found = office.written()[-1]
    assert isinstance(found, LedgerRecord)
    assert (found.prompt, found.completion, found.amount, found.flag) == (0, 0, 0, "")


@pytest.mark.parametrize(("counted", "flag"), [(True, "cut"), (False, "")])
async def test_an_answer_that_broke_off_is_flagged_unless_its_usage_was_told(office: Office, counted: bool, flag: str):
    call = office.call()

    async def rest(call: Call) -> Reply:
        call.record.attempts.append(Attempt(backend="one", began=call.started, outcome="ok"))
        call.record.usage, call.record.cut = Usage(prompt=3, completion=4, counted=counted), True
        return REPLY

    await office.way(rest=rest)(call)
    over(call, 499, "client_left")
    found = office.written()[-1]
    assert isinstance(found, LedgerRecord)
    assert (found.prompt, found.completion, found.flag) == (3, 4, flag)


async def test_a_price_that_is_not_known_is_no_amount(office: Office):
    call = office.call()

    async def rest(call: Call) -> Reply:
        call.record.backend, call.record.usage = "two", Usage(prompt=3)
        return REPLY

    await office.way(rest=rest)(call)
    over(call)
    found = office.written()[-1]
    assert isinstance(found, LedgerRecord)
    assert (found.amount, found.currency, found.price_version) == (None, "", "")


async def test_what_a_backend_found_in_its_cache_is_a_part_of_the_prompt(office: Office):
    call = office.call()

    async def rest(call: Call) -> Reply:
        call.record.backend, call.record.usage = "one", Usage(prompt=3, cached=9)
        return REPLY

    await office.way(rest=rest)(call)
    over(call)
    found = office.written()[-1]
    assert isinstance(found, LedgerRecord)
    assert (found.prompt, found.cached) == (3, 3)


async def test_words_are_bounded(office: Office):
    call = office.call()
    for number in range(2 * MOST_WORDS):
        call.record.say("limits", str(number))
    await office.way()(call)
    over(call)
    found = office.written()[-1]
    assert isinstance(found, LedgerRecord)
    detail = detail_of(found)
    assert detail is not None
    assert len(detail.words) == MOST_WORDS


async def test_without_room_no_call_is_sent(office: Office):
    office.room = False
    call = office.call()
    with pytest.raises(LedgerUnwritable) as refused:
        await office.way()(call)
    over(call, 503, "ledger_unwritable")
    assert call.record.attempts == []
    assert refused.value.retry_after == 1.0
    assert dict(office.counts.outcomes) == {"refused": 1}
    office.room = True
    assert office.journal.pay()
    (found,) = office.written()
    assert isinstance(found, LedgerRecord)
    assert (found.outcome, found.prompt, found.status) == ("ledger_unwritable", 0, 503)


async def test_without_room_calls_are_served_where_that_is_wanted(tmp_path: Path):
    office = Office(tmp_path / "journal", refuses=False)
    office.room = False
    call = office.call()
    assert await office.way()(call) is REPLY
    over(call)
    assert dict(office.counts.outcomes) == {"served": 1}
    office.room = True
    office.journal.pay()
    (found,) = office.written()
    assert isinstance(found, LedgerRecord)
    assert found.prompt == 12
    office.journal.close()


async def test_what_ends_in_one_turn_is_written_together_in_the_next_one(tmp_path: Path):
    turns: list[Any] = []
    office = Office(tmp_path / "journal", soon=turns.append)
    for number in range(3):
        call = office.call(request_id=f"id-{number}")
        await office.way()(call)
        await office.clock.advance(0.5)
        over(call)
    assert (len(turns), office.journal.under_way) == (1, 3)
    size = office.journal.size
    turns.pop()()
    (path,) = segments_of(office.journal.folder)
    assert len(segments.read(path, size, over=True).payloads) == 1
    found = office.written()[3:]
    assert [(each.id, each.seconds) for each in found if isinstance(each, LedgerRecord)] == [
        ("id-0", 0.5),
        ("id-1", 0.5),
        ("id-2", 0.5),
    ]
    assert office.journal.under_way == 0
    office.writing.write_ended()
    assert len(office.written()) == 6
    office.journal.close()


async def test_a_held_record_is_written_when_the_last_one_lets_go(office: Office):
    call = office.call()
    await office.way()(call)
    call.record.hold()
    over(call, 499, "client_left")
    assert len(office.written()) == 1
    call.record.usage = Usage(prompt=99)
    call.record.close()
    found = office.written()[-1]
    assert isinstance(found, LedgerRecord)
    assert found.prompt == 99


def test_a_call_of_which_only_the_intent_is_known():
    found = intent("id-1", prompt=40, reserved=540)
    record = crashed(found, price_of)
    assert (record.prompt, record.completion, record.amount, record.flag) == (40, 500, 1_080, "crashed")
    assert crashed(found, None).amount is None
