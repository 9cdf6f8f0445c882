"""What embedded models need before a host may start: their weights, fetched by a process of its own, and an engine."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from forehearth.server import orders
from forehearth.server.children import Child, started
from forehearth.server.messages import Progress, Ready, Stop, Trouble, Upward
from forehearth.server.status import Status, Weights, write_status
from forehearth.server.workers import ending

log = logging.getLogger("forehearth.server")

RETRY_SECONDS = (5.0, 15.0, 60.0, 300.0)
"""Waits before weights that could not be had are asked for again; the last one stays."""

STOP_SECONDS = 0.8
"""How long it may take to stop what it fetches."""


class Preparation:
    """Keeps the status file while it goes on, so that readiness tells how far it is."""

    def __init__(
        self,
        command: Sequence[str],
        order: orders.FetchOrder,
        run: Path,
        *,
        preload: bool,
        told: Callable[[Status], None],
        prepared: Callable[[], object] = lambda: None,
    ) -> None:
        """`run` is the folder of the status file; `told` hears each new status.

        `prepared` is called once, before anybody is told that all is there: who reads it may call at once.
        """
        self._command = command
        self._order = order
        self._run = run
        self._told = told
        self._prepared = prepared
        self._trouble = ""
        self._done = asyncio.Event()
        self.settled = asyncio.Event()
        """Everything is there, or it was tried and something could not be had."""
        models = order.models
        self._status = Status(
            weights={model.name: Weights() for model in models},
            engine="waiting" if models else "ready",
            preload="waiting" if models and preload else "ready",
        )
        self._tell(self._status)

    async def run(self) -> None:
        """Return when everything is there; until then try again, for a network may come back."""
        failures = 0
        while not self._done.is_set():
            async with started(self._command) as child:
                child.order(orders.encode(self._order))
                status = await self._until_ended(child)
            if self._done.is_set():
                return
            delay = RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)]
            failures += 1
            reason = self._trouble or f"Preparing the embedded models ended by {ending(status)}."
            log.error("%s Trying again in %g s.", reason, delay)
            self._tell(self._failed(reason))
            self._trouble = ""
            await asyncio.sleep(delay)

    async def _until_ended(self, child: Child) -> int:
        try:
            return await child.ended(self._heard)
        except asyncio.CancelledError:
            # It may have a package client of its own running, which only it can end.
            child.tell(Stop(grace=0.0))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    await child.ended(self._heard)
            raise

    def loaded(self) -> None:
        """The host has the models in memory."""
        self._tell(msgspec.structs.replace(self._status, preload="ready", reason=""))

    def not_loaded(self, reason: str) -> None:
        """The host could not load them."""
        if self._status.preload != "ready":
            self._tell(msgspec.structs.replace(self._status, preload="failed", reason=reason))

    def _heard(self, message: Upward) -> None:
        status = self._status
        match message:
            case Progress():
                weights = Weights(
                    state="ready" if message.step == "ready" else "working",
                    step=message.step,
                    done_bytes=message.done,
                    total_bytes=message.total,
                )
                changed = {**status.weights, message.name: weights}
                self._tell(msgspec.structs.replace(status, weights=changed, reason=""))
            case Ready():
                ready = {name: msgspec.structs.replace(each, state="ready") for name, each in status.weights.items()}
                preload = "working" if status.preload == "waiting" else status.preload
                self._done.set()
                self._prepared()
                self._tell(Status(weights=ready, engine="ready", preload=preload))
            case Trouble():
                self._trouble = message.reason

    def _failed(self, reason: str) -> Status:
        """The present status, with what was not there yet told as failed."""
        weights = {
            name: each if each.state == "ready" else msgspec.structs.replace(each, state="failed")
            for name, each in self._status.weights.items()
        }
        fetched = all(each.state == "ready" for each in weights.values())
        return msgspec.structs.replace(
            self._status, weights=weights, engine="failed" if fetched else self._status.engine, reason=reason
        )

    def _tell(self, status: Status) -> None:
        self._status = status
        try:
            write_status(self._run, status)
        except OSError as error:
            # A full disk, most likely with weights. Readiness stays behind; what is served goes on.
            log.warning("the status of the start could not be written: %s", error.strerror)
        if status.complete or status.reason:
            self.settled.set()
        self._told(status)
