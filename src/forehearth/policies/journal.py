"""Writes every call of a deployment down: what it is about to do, before it does it, and what became of it.

Two layers of an onion. `outcomes` is the outermost one, so that a call which a limit refused or a cache answered is
written down, too; `intents` is the one just around the backends, where it is known what was reserved.
"""

from collections.abc import Awaitable, Callable
from functools import partial

import msgspec

from forehearth.accounting.journal import Journal, Unwritable
from forehearth.accounting.outcomes import intent, outcome
from forehearth.accounting.served import Served
from forehearth.core.call import Call
from forehearth.core.clock import Clock
from forehearth.core.errors import LedgerUnwritable
from forehearth.core.exchange import Reply
from forehearth.core.record import CallRecord
from forehearth.policies.onion import Proceed
from forehearth.ports.ledger_meter import LedgerMeter

_AGAIN = 1.0
"""Seconds after which there may be room again."""


Soon = Callable[[Callable[[], object]], object]
"""Has something called at the loop's next turn, as its `call_soon` does."""


class WriteDown:
    """The two layers for all deployments of a worker. `served` has them by their labels.

    With `refuses`, a call that cannot be written down is not sent. What became of the calls that end in one turn of the
    loop is written together in its next one, by `soon`; without it each is written as it ends. Of those that a kill
    catches in between there is the intent, and they are booked as reserved, as calls under way are.
    """

    def __init__(
        self, journal: Journal, clock: Clock, meter: LedgerMeter, *, refuses: bool = True, soon: Soon | None = None
    ) -> None:
        self.served: dict[str, Served] = {}
        self._journal = journal
        self._clock = clock
        self._refuses = refuses
        self._meter = meter
        self._soon = soon
        self._ended: list[tuple[Call, float]] = []
        """Calls that are over, and when that was; not written yet."""
        self._encode = msgspec.json.Encoder().encode

    def outcomes(self, call: Call, proceed: Proceed) -> Awaitable[Reply]:
        """A policy: leave what is to be written at the end. Once, whichever deployments a route falls through."""
        record, clock = call.record, self._clock
        if not record.arrived:
            record.arrived = clock.unix() - (clock.monotonic() - call.started)
            record.at_end(partial(self._end, call))
        return proceed(call)

    def intents(self, call: Call, proceed: Proceed) -> Awaitable[Reply]:
        """A policy: write before it is sent. Raises `LedgerUnwritable`."""
        found = intent(call, self.served[call.record.deployment])
        try:
            self._journal.begin(call.request_id, self._encode(found))
        except Unwritable:
            self._meter.unwritten("refused" if self._refuses else "served")
            if self._refuses:
                raise LedgerUnwritable(
                    "The server cannot write down what calls use, and takes none until it can.", retry_after=_AGAIN
                ) from None
        return proceed(call)

    def write_ended(self) -> None:
        """Write down what became of the calls that are over."""
        ended, self._ended = self._ended, []
        if ended:
            served = self.served
            found = [outcome(call, served[call.record.deployment], end - call.started) for call, end in ended]
            self._journal.end([call.request_id for call, _ in ended], self._encode(("outcomes", found)))

    def _end(self, call: Call, record: CallRecord) -> None:  # noqa: ARG002 - what is owed at the end gets it
        ended = self._ended
        ended.append((call, self._clock.monotonic()))
        if self._soon is None:
            self.write_ended()
        elif len(ended) == 1:
            self._soon(self.write_ended)
