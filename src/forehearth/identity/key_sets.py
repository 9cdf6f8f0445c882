"""The public keys of one issuer: fetched when they are needed, kept, and fetched again at a bounded rate.

A key id that is not known may be a new key, or nonsense that somebody sends to have us fetch. So between two fetches
of one issuer there are at least 30 seconds, whoever asks in whichever worker, and all who wait share one fetch. In the
pause an unknown key id is refused at once.

A key that its issuer withdraws has to be good no more: whoever has it could make tokens. So keys are fetched again
each minute while tokens come, without anybody waiting; after a longer silence the first token waits. An issuer that
does not answer is waited for once, and then what is there is used.
"""

import asyncio
import contextlib
import importlib
import json
import logging
import math
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from forehearth.core.clock import Clock
from forehearth.core.errors import ForehearthError
from forehearth.core.issuers import is_safe
from forehearth.identity.verifying_key import VerifyingKey
from forehearth.ports.fetch import Fetch
from forehearth.ports.turns import Heard, Turns

PAUSE_SECONDS = 30.0
"""Between two fetches of one issuer's keys."""
FRESH_SECONDS = 60.0
"""After this, keys are fetched again when the next token comes."""
STALE_SECONDS = 120.0
"""After this, tokens wait for that, unless the last fetch failed."""
KEPT_SECONDS = 72 * 3_600.0
"""For so long keys are used when they cannot be fetched again."""

_MOST_KEYS = 100
_READER = "forehearth.identity.public_keys"
"""It brings cryptography, so only a process that trusts an issuer imports it."""
_log = logging.getLogger("forehearth.identity")


class Alone:
    """The `ports.turns.Turns` of whoever has nobody to share with."""

    heard: Heard | None = None

    @contextlib.asynccontextmanager
    async def of(self, issuer: str) -> AsyncIterator["Alone"]:  # noqa: ARG002 - the protocol's shape
        """See `ports.turns`."""
        yield self

    def tell(self, heard: Heard) -> None:
        """See `ports.turns`."""


class KeySet:
    """One issuer's keys. Without a `url`, its discovery document is asked where they are."""

    def __init__(self, issuer: str, *, url: str | None, fetch: Fetch, clock: Clock, turns: Turns | None = None) -> None:
        """`turns` are those of all workers who ask the same issuers."""
        _reader()  # who trusts an issuer has it read in from the beginning, not while a caller waits
        self._issuer = issuer
        self._url = url
        self._fetch = fetch
        self._clock = clock
        self._turns: Turns = Alone() if turns is None else turns
        self._keys: dict[str, VerifyingKey] = {}
        self._fetched = -math.inf
        self._tried = -math.inf
        self._silent = False
        """Whether the issuer did not say its keys when it was asked last."""
        self._fetching: asyncio.Task[None] | None = None
        self.fetches = 0
        """How often the issuer was asked."""

    def find(self, key_id: str) -> VerifyingKey | None:
        """The key of this id, where it is known and not too old to be used: the same object for as long as it stays.

        None where `refreshed` has to be awaited first.
        """
        age = self._clock.monotonic() - self._fetched
        if age > KEPT_SECONDS:
            return None
        if age > FRESH_SECONDS and self.may_fetch:
            self._begin()
        if age > STALE_SECONDS and not self._silent:
            return None
        return self._keys.get(key_id)

    @property
    def may_fetch(self) -> bool:
        """Whether asking the issuer is worth waiting for: a fetch is under way, or the pause after the last is over."""
        return self._fetching is not None or self._clock.monotonic() >= self._tried + PAUSE_SECONDS

    async def refreshed(self) -> None:
        """Return when the keys have been fetched, or could not be; in the pause at once. All who wait share a fetch."""
        if self.may_fetch:
            await asyncio.shield(self._begin())

    async def aclose(self) -> None:
        """End a fetch that is under way."""
        task = self._fetching
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    def _begin(self) -> asyncio.Task[None]:
        if self._fetching is None:
            self._tried = self._clock.monotonic()
            self._fetching = asyncio.get_running_loop().create_task(self._refresh())
        return self._fetching

    async def _refresh(self) -> None:
        try:
            async with self._turns.of(f"{self._issuer} {self._url or ''}") as turn:
                heard = turn.heard
                if heard is None or not 0 <= self._clock.monotonic() - heard.at < PAUSE_SECONDS:
                    heard = await self._asked()
                    turn.tell(heard)
            self._tried = heard.at
            self._silent = heard.document is None
            if heard.document is not None:
                found = read_keys(heard.document)
                self._keys = {key_id: self._kept(key_id, key) for key_id, key in found.items()}
                self._fetched = heard.at
        except (ValueError, OSError) as error:
            self._silent = True
            self._warn(str(error))
        finally:
            self._fetching = None

    async def _asked(self) -> Heard:
        """What the issuer says now."""
        at = self._clock.monotonic()
        self.fetches += 1
        try:
            document = await self._fetch(self._url or await self._discovered())
        except (ForehearthError, ValueError) as error:
            self._warn(error.message if isinstance(error, ForehearthError) else str(error))
            return Heard(at=at, document=None)
        return Heard(at=at, document=document)

    def _warn(self, reason: str) -> None:
        _log.warning("the keys of the issuer %s could not be fetched: %s", self._issuer, reason)

    def _kept(self, key_id: str, key: VerifyingKey) -> VerifyingKey:
        old = self._keys.get(key_id)
        return old if old is not None and old.is_same_as(key) else key

    async def _discovered(self) -> str:
        document = _object(await self._fetch(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"))
        if document.get("issuer") != self._issuer:
            raise ValueError("its discovery document is another issuer's")
        url = document.get("jwks_uri")
        if not isinstance(url, str) or not is_safe(url):
            raise ValueError("its discovery document names no https address of its keys")
        return url


def read_keys(document: bytes) -> dict[str, VerifyingKey]:
    """The usable keys of a key set by their id. A key that cannot be used is left out. Raises `ValueError`."""
    listed = _object(document).get("keys")
    if not isinstance(listed, list) or len(listed) > _MOST_KEYS:
        raise ValueError("it is no key set")
    usable = _reader()
    found: dict[str, VerifyingKey] = {}
    for each in listed:
        key_id = each.get("kid") if isinstance(each, dict) else None
        if not isinstance(key_id, str) or not key_id or key_id in found:
            continue
        key = usable(each)
        if key is not None:
            found[key_id] = key
    return found


def _reader() -> Callable[[Mapping[str, Any]], VerifyingKey | None]:
    usable: Callable[[Mapping[str, Any]], VerifyingKey | None] = importlib.import_module(_READER).usable
    return usable


def _object(document: bytes) -> dict[str, Any]:
    try:
        value = json.loads(document)
    except (ValueError, RecursionError):
        raise ValueError("what came is not JSON") from None
    if isinstance(value, dict):
        return value
    raise ValueError("what came is not an object")
