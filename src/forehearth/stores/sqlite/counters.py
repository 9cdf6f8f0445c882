"""The shared counters in SQLite: a `ports.counters.CounterStore` for the workers of one machine."""

from collections.abc import Sequence
from typing import Any

import apsw

from forehearth.core.clock import Clock
from forehearth.core.counter import Ask, Grant
from forehearth.core.windows import Period
from forehearth.stores import counting
from forehearth.stores.counting import FORGOTTEN, KEPT, CounterState, Share, Turn
from forehearth.stores.queries import queries
from forehearth.stores.sqlite.database import Database

_SQL = queries("sqlite", "counters")


class SqliteCounters:
    """See `ports.counters`. The clock is read within the transaction, so that no two workers see time go back."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def exchange(self, worker: str, asks: Sequence[Ask]) -> list[Grant]:
        """See `ports.counters`."""

        def work(connection: apsw.Connection) -> list[Grant]:
            return [self._answer(connection, worker, ask) for ask in asks]

        return await self._database.write(work)

    async def leave(self, worker: str) -> None:
        """See `ports.counters`."""
        await self._database.write(lambda connection: _run(connection, "leave", worker=worker))

    async def prune(self) -> None:
        """See `ports.counters`."""

        def work(connection: apsw.Connection) -> None:
            monotonic, unix = self._clock.monotonic(), self._clock.unix()
            _run(connection, "prune_counters", monotonic=monotonic, unix=unix - KEPT)
            _run(connection, "prune_shares", monotonic=monotonic)
            _run(connection, "prune_turns", monotonic=monotonic, forgotten=FORGOTTEN)

        await self._database.write(work)

    def _answer(self, connection: apsw.Connection, worker: str, ask: Ask) -> Grant:
        state = _load(connection, ask)
        had_shares, had_turns = set(state.shares), bool(state.turns)
        grant = counting.answer(state, ask, worker, self._clock)
        if ask.period is not None:
            _run(
                connection,
                "keep_counter",
                counter=ask.counter,
                period=ask.period.value,
                window=state.window,
                ends=state.ends,
                taken=state.taken,
            )
        else:
            if had_shares - set(state.shares):
                _run(connection, "prune_shares", monotonic=self._clock.monotonic())
            own = state.shares[worker]
            fields = {"held": own.held, "lapses": own.lapses, "tail": own.tail}
            _run(connection, "keep_share", counter=ask.counter, worker=worker, **fields)
        if had_turns or state.turns:
            _keep_turns(connection, ask.counter, state)
        return grant


def _load(connection: apsw.Connection, ask: Ask) -> CounterState:
    state = CounterState()
    if ask.period is not None:
        for period, window, ends, taken in _run(connection, "counter", counter=ask.counter):
            state = CounterState(period=Period(period), window=window, ends=ends, taken=taken)
    else:
        rows = _run(connection, "shares", counter=ask.counter)
        state.shares = {worker: Share(held, lapses, tail) for worker, held, lapses, tail in rows}
    if ask.waits:
        rows = _run(connection, "turns", counter=ask.counter)
        state.turns = {(tenant, where): Turn(wanted, until, served) for tenant, where, wanted, until, served in rows}
    return state


def _keep_turns(connection: apsw.Connection, counter: str, state: CounterState) -> None:
    _run(connection, "forget_turns", counter=counter)
    for (tenant, worker), turn in state.turns.items():
        fields = {"wanted": turn.wanted, "until": turn.until, "served": turn.served}
        _run(connection, "keep_turn", counter=counter, tenant=tenant, worker=worker, **fields)


def _run(connection: apsw.Connection, name: str, **values: "apsw.SQLiteValue") -> list[tuple[Any, ...]]:
    return connection.execute(_SQL[name], values).fetchall()
