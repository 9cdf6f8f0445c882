"""What all machines over a store share: the store, opened anew for each run, the virtual clock, and a loop."""

from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from random import Random
from typing import Any, TypeVar

import uvloop
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from forehearth.core.errors import ForehearthError
from forehearth.identity.key_records import KIND as KEY
from forehearth.ports.documents import DocumentStore
from forehearth.testing.clock import VirtualClock

THING = "thing"
STEPS = 50
_SEEDS = st.binary(min_size=4, max_size=4)

OpenStore = Callable[[], AbstractAsyncContextManager[DocumentStore]]
"""Opens a store with nothing in it."""
Result = TypeVar("Result")


class StoreMachine(RuleBasedStateMachine):
    """Its rules do something to the store and to a model of it, and compare what comes back."""

    open_store: OpenStore
    in_memory: bool
    """Whether nothing is waited for: a loop would take more time than all the rest."""
    seen: Counter[str]
    """How often each kind of thing happened, in all runs together: so that none of them goes untried."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = VirtualClock()
        self._loop = None if self.in_memory else uvloop.new_event_loop()
        self._opened = AsyncExitStack()
        self.store = self.run(self._opened.enter_async_context(type(self).open_store()))
        self._steps = 0
        self._written: set[str] = set()
        self._versions = self._now()

    def teardown(self) -> None:
        """Close the store."""
        self.run(self._opened.aclose())
        if self._loop is not None:
            self._loop.close()

    def dice(self, seed: bytes) -> Random:
        """The dice of this step, which are others in the next one, whatever its seed."""
        self._steps += 1
        return Random(seed + self._steps.to_bytes(2, "big"))

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """What `work` returns."""
        return _finished(work) if self._loop is None else self._loop.run_until_complete(work)

    def outcome(self, work: Coroutine[Any, Any, Result]) -> Result | type[ForehearthError]:
        """What `work` returns, or how it is refused."""
        try:
            return self.run(work)
        except ForehearthError as error:
            self.seen[type(error).__name__] += 1
            return type(error)

    def wrote(self, kind: str, what: str) -> None:
        """Note that something of this kind was written, and what."""
        self._written.add(kind)
        self.seen[what] += 1

    @invariant()
    def versions_tell_of_every_write_and_of_nothing_else(self) -> None:
        """Whoever follows a kind of document sees every change, and does not look in vain."""
        before, self._versions = self._versions, self._now()
        for kind, version in self._versions.items():
            assert (version > before[kind]) is (kind in self._written), (kind, before[kind], version)
        self._written.clear()

    def _now(self) -> dict[str, int]:
        async def versions() -> dict[str, int]:
            return {kind: await self.store.version(kind) for kind in (THING, KEY)}

        return self.run(versions())


def _finished(work: Coroutine[Any, Any, Result]) -> Result:
    """What a coroutine returns that only lets others go first."""
    try:
        while True:
            assert work.send(None) is None, "it waits"
    except StopIteration as end:
        result: Result = end.value
        return result


Machine = TypeVar("Machine", bound=StoreMachine)


def by_dice(mark: Callable[..., Any], act: Callable[[Machine, Random], None]) -> Any:
    """A rule that dice decide all of. Drawing is what costs Hypothesis its time, so it draws but a seed for them.

    It gives the same numbers again and again, as parts of what it tries, so the step counts, too.
    """

    def acted(self: Machine, seed: bytes) -> None:
        act(self, self.dice(seed))

    acted.__name__, acted.__qualname__, acted.__doc__ = act.__name__, act.__qualname__, act.__doc__
    return mark(seed=_SEEDS)(acted)


first, step = partial(by_dice, initialize), partial(by_dice, rule)


def run_machine(
    machine: type[StoreMachine], open_store: OpenStore, *, examples: int, in_memory: bool = False
) -> Counter[str]:
    """Let the machine run so often, and return what happened."""

    class Opened(machine):  # type: ignore[misc, valid-type] - a class for one test, with its store
        pass

    Opened.open_store, Opened.in_memory, Opened.seen = staticmethod(open_store), in_memory, Counter()
    Opened.__name__ = Opened.__qualname__ = machine.__name__
    run_state_machine_as_test(
        Opened,
        settings=settings(
            max_examples=examples,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )
    return Opened.seen
