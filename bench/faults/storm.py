"""T23: many calls with faults, departures and deaths among them; the ledger beside the log of the host."""

from collections import Counter

import msgspec

from bench.faults.figures import Outcome, Part, Stage, at_least, at_most, plain
from forehearth.core.ledger import LedgerRecord
from forehearth.core.usage import Usage
from tests.integration.ledger.storm import LONGEST, Found, Storm, blow, usage_of

CALLS, DEATHS, AT_ONCE = 100_000, 60, 64
_BOUND = 64 + 300 + LONGEST
"""Of a prompt of some 200 bytes, with the answer's own bound."""


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """Both sides, side by side. All but `tokens` is to be 0."""

    tokens: int
    """Of all settled records."""
    difference: int
    """By how much those of the host differ."""
    strangers: int
    """Settled records with tokens that the host never told."""
    double: int
    """Records beyond the first of a call."""
    missing: int
    """Calls that the host served and that are in no record, settled or flagged."""
    carried_out_twice: int
    """Calls that the host served a second time."""
    too_many_crashed: int
    """Records of calls that a death cut off, beyond those that were under way at the deaths."""
    outside: int
    """Flagged records that are above the bound; and those booked at it that are below what any call used."""
    wrong_amount: int
    """Records whose amount is not that of their tokens."""
    uncounted: int
    """Calls that had an answer, or left, and are in no record; and records that nobody asked for."""

    @property
    def exact(self) -> bool:
        """Whether nothing differs."""
        return not any(getattr(self, name) for name in self.__struct_fields__ if name != "tokens")


def compare(found: Found) -> Compared:
    """Lay the ledger beside the log of the host, and what clients know."""
    numbers = {_figures(usage_of(number)): number for number in found.served}
    of_host = [each for each in found.settled if not each.counted]
    told = Counter(numbers.get((each.prompt, each.completion, each.cached)) for each in of_host)
    strangers = told.pop(None, 0)
    flagged = [each for each in found.ledger if each.flag]
    tokens = sum(each.prompt + each.completion for each in of_host)
    host = sum(used.prompt + used.completion for number in told for used in [usage_of(number)])
    asked, records = found.asked.total(), len(found.ledger)
    return Compared(
        tokens=tokens,
        difference=tokens - host,
        strangers=strangers,
        double=sum(times - 1 for times in told.values()),
        missing=max(0, len(found.served.keys() - told.keys()) - len(flagged)),
        carried_out_twice=sum(times - 1 for times in found.served.values()),
        too_many_crashed=max(0, len(found.flagged("crashed")) - found.under_way),
        outside=sum(map(_outside, flagged)),
        wrong_amount=sum(map(_has_wrong_amount, found.ledger)),
        uncounted=max(0, records - asked) + max(0, asked - found.asked["lost"] - records),
    )


def _figures(usage: Usage) -> tuple[int, int, int]:
    return usage.prompt, usage.completion, usage.cached


def _outside(record: LedgerRecord) -> bool:
    booked = record.prompt + record.completion
    return booked > _BOUND or (record.flag == "crashed" and record.completion < LONGEST)


def _has_wrong_amount(record: LedgerRecord) -> bool:
    wanted = (record.prompt - record.cached) * 2_500_000 + record.cached * 1_250_000 + record.completion * 10_000_000
    return record.amount != wanted or (record.currency == "USD") is not (wanted > 0)


async def measure(stage: Stage) -> Outcome:
    """Let it happen, and compare."""
    storm = Storm(calls=stage.count(CALLS, 240), at_once=AT_ONCE, deaths=stage.count(DEATHS, 2), seed=11)
    found = await blow(stage.folder, storm, say=stage.say)
    both = compare(found)
    zero = {
        "tokens by which the settled records differ from the host's log": both.difference,
        "settled records that the host knows nothing of": both.strangers,
        "calls that are missing": both.missing,
        "calls that are there twice": both.double,
        "calls that the host carried out twice": both.carried_out_twice,
        "records of calls cut off by a death, beyond those under way at the deaths": both.too_many_crashed,
        "flagged records not between what was used and the bound": both.outside,
        "records with a wrong amount": both.wrong_amount,
        "calls answered or left without a record, and records without a call": both.uncounted,
    }
    fired = found.fired + Counter({"left": found.asked["left"], "deaths": found.deaths})
    return Outcome(
        figures=[
            at_least("calls", found.asked.total(), storm.calls),
            plain("of them served by the host", len(found.served)),
            plain("of them settled", len(found.settled)),
            plain("tokens of the settled ones", both.tokens),
            *(at_most(what, number, 0) for what, number in zero.items()),
            plain("flagged: cut, as the caller left or the host broke off", len(found.flagged("cut"))),
            plain("flagged: crashed", len(found.flagged("crashed"))),
            plain("calls under way at the deaths", found.under_way),
            at_most("flagged: unreported", len(found.flagged("unreported")), 0),
        ],
        fired=fired,
    )


PART = Part(
    title="The ledger beside the host's log",
    done=(
        f"{CALLS:,} calls, {AT_ONCE} at a time, whole and streamed, to two workers: hosts that are busy, refuse, break "
        "off; a proxy that resets and truncates; callers that leave before and in an answer; "
        f"{DEATHS} times `kill -9`, of a worker or of the whole server, which is started anew. "
        "Then the ledger is laid beside the host's own log, call by call."
    ),
    measure=measure,
)
