"""Keeps tokens fresh: fetched at the start and again before they end, beside the calls, so that none waits for one.

When the next one is fetched: after 80 % of a token's life, but at the latest five minutes before its end and at the
earliest halfway, or when its issuer says, if that is sooner. What is there stays in use while fetching fails, until
its end; it is never sent after that.
"""

import asyncio
import logging
import random
import re
from collections.abc import Awaitable, Callable, Hashable
from http import HTTPStatus
from types import TracebackType
from typing import Final, Self

import msgspec

from forehearth.core.clock import Clock, SystemClock
from forehearth.core.errors import Unreachable
from forehearth.core.secret import Secret
from forehearth.core.upstream import Request, Response
from forehearth.ports.sender import Sender
from forehearth.ports.token_source import NoToken, Token, TokenIssuer

FIRST_TOKENS_SECONDS: Final = 5.0
"""How long a start waits for first tokens."""

_BEFORE_END: Final = 300.0
_USED, _LEAST_USED = 0.8, 0.5
_ON_THE_WAY: Final = 2.0
"""Seconds before its end from which a token is not sent any more: it has to arrive, too."""
_SHORTEST_WAIT: Final = 1.0
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_JITTER: Final = 0.1
"""Up to this share of a wait is left out by chance, so that workers do not all ask at once."""
_HEARD_EVERY: Final = 60.0
"""Seconds between two refusals by a host that have a new token fetched: it may not be the token's fault."""
_SENDABLE: Final = re.compile(r"[\x21-\x7e]+")
_log = logging.getLogger("forehearth.transport")


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """What keepers measure time with, and draw their jitter from."""

    clock: Clock = SystemClock()
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    chance: Callable[[], float] = random.random
    """A number from 0 up to 1."""


class TokenKeeper:
    """Has one credential's token for one scope: the `TokenSource` of all backends that use it.

    It asks its issuer once at a time, and after a failure waits longer each time, up to a minute.
    """

    def __init__(self, issuer: TokenIssuer, timing: Timing) -> None:
        self._issuer = issuer
        self._clock = timing.clock
        self._sleep = timing.sleep
        self._chance = timing.chance
        self._backends: list[str] = []
        self._token: Token | None = None
        self._task: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()
        self._failures = 0
        self._next = 0.0
        self._heard = float("-inf")
        self.tried = asyncio.Event()
        """The first attempt is over, well or not."""
        self.issued: tuple[Secret, ...] = ()
        """The token that is in use, and the one before it, which calls under way may still have."""

    def serve(self, backend: str) -> None:
        """One more backend uses this; its name is for the log."""
        self._backends.append(backend)

    def begin(self) -> None:
        """Fetch from now on."""
        self._task = asyncio.get_running_loop().create_task(self._keep())

    async def aclose(self) -> None:
        """Fetch no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def current(self) -> Secret:
        """See `ports.token_source`. A token whose end was slept through is fetched anew at once."""
        now = self._clock.unix()
        if self._token is not None and now < self._token.expires - _ON_THE_WAY:
            return self._token.secret
        if not self._failures:
            self._woken.set()
        raise Unreachable(
            "The host of this deployment cannot be asked: the gateway has no token for it at the moment.",
            retry_after=min(max(self._next - now, _SHORTEST_WAIT), _LONGEST_PAUSE),
        )

    def refused(self, token: Secret) -> None:
        """A host did not accept `token`: fetch another one now, if it is the one in use. It stays in use until then.

        Where the new one is refused as well, the fault is elsewhere, such as a role that is missing; so this is heeded
        once a minute.
        """
        now = self._clock.monotonic()
        in_use = self._token is not None and self._token.secret is token
        if in_use and not self._failures and now >= self._heard + _HEARD_EVERY:
            self._heard = now
            self._woken.set()

    async def _keep(self) -> None:
        while True:
            wait = await self._renewed()
            self._next = self._clock.unix() + wait
            self.tried.set()
            await self._pause(wait)

    async def _renewed(self) -> float:
        """Fetch once; the answer is in how many seconds to fetch again."""
        try:
            token = await self._issuer.fetch()
        except NoToken as error:
            return self._failed(error.reason)
        except Exception as error:  # noqa: BLE001 - the border of a background loop
            # Its text and its traceback may have what the issuer answered.
            return self._failed(type(error).__name__)
        now = self._clock.unix()
        life = token.expires - now
        if life <= _ON_THE_WAY:
            return self._failed("the token that was issued has ended already")
        if not _SENDABLE.fullmatch(token.secret.reveal()):
            return self._failed("the token that was issued cannot be sent in a header")
        self._failures = 0
        self._token = token
        self.issued = (token.secret, *self.issued[:1])
        _log.info("credential of %s: a token for %.0f s", self._named(), life)
        wait = max(life * _LEAST_USED, min(life * _USED, life - _BEFORE_END))
        if token.refresh is not None:
            wait = min(wait, token.refresh - now)
        return max(self._jittered(wait), _SHORTEST_WAIT)

    def _failed(self, reason: str) -> float:
        pause = self._jittered(min(_FIRST_PAUSE * 2.0 ** min(self._failures, 16), _LONGEST_PAUSE))
        self._failures += 1
        left = 0.0 if self._token is None else max(0.0, self._token.expires - self._clock.unix())
        kept = f"the one there is lasts {left:.0f} s" if left else "there is none to use"
        _log.warning("credential of %s: no token: %s; %s, next try in %.0f s", self._named(), reason, kept, pause)
        return pause

    def _jittered(self, seconds: float) -> float:
        return seconds * (1.0 - _JITTER * self._chance())

    def _named(self) -> str:
        return ", ".join(self._backends)

    async def _pause(self, seconds: float) -> None:
        """Wait, or less when somebody wakes this."""
        self._woken.clear()
        await _first(self._sleep(seconds), self._woken.wait())


async def _first(*things: Awaitable[object]) -> None:
    """Return when one of them is over; the others are given up."""
    waiting = [asyncio.ensure_future(each) for each in things]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()


class TokenKeepers:
    """A process's keepers, one for each credential and scope; a context manager, which ends them."""

    def __init__(self, timing: Timing | None = None) -> None:
        self._timing = timing or Timing()
        self._keepers: dict[Hashable, TokenKeeper] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def keeper(self, credential: Hashable, issuer: Callable[[], TokenIssuer], *, backend: str) -> TokenKeeper:
        """The one keeper of `credential`, to whose users `backend` is added. Ask before `begin`."""
        keeper = self._keepers.get(credential)
        if keeper is None:
            keeper = self._keepers[credential] = TokenKeeper(issuer(), self._timing)
        keeper.serve(backend)
        return keeper

    async def begin(self, within: float = FIRST_TOKENS_SECONDS) -> None:
        """Fetch from now on; return when every first attempt is over, or after `within` seconds.

        Waiting here lets the first calls after a start find a token, since wording a request cannot wait. It ends
        without one all the same: other backends must be served while an issuer is out of reach, and a call that needs
        its token is answered 503 with a time to come back, or by the deployment's next backend.
        """
        if not self._keepers:
            return
        for keeper in self._keepers.values():
            keeper.begin()
        waiting = [keeper.tried.wait() for keeper in self._keepers.values()]
        await _first(self._timing.sleep(within), asyncio.gather(*waiting))

    async def aclose(self) -> None:
        """End all; what an issuer's library still does is waited for by nobody."""
        for keeper in self._keepers.values():
            await keeper.aclose()


class RefusalWatch:
    """Sends by another sender, and tells a keeper when a host answers 401 to its token."""

    def __init__(self, sender: Sender, keeper: TokenKeeper) -> None:
        self._sender = sender
        self._keeper = keeper

    async def send(self, request: Request) -> Response:
        """See `ports.sender`. The answer is handed on as it is: the call is not sent again."""
        sent = self._keeper.issued[:1]
        response = await self._sender.send(request)
        if response.status == HTTPStatus.UNAUTHORIZED and sent:
            self._keeper.refused(*sent)
        return response
