"""Vectors of messages from a deployment of this server, whichever host is behind it."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from forehearth.core.call import Call, Operation
from forehearth.core.clock import Clock
from forehearth.core.errors import Broken, Overloaded, TimedOut
from forehearth.core.exchange import Reply
from forehearth.core.record import CallRecord

_REST: Final = 3.0
"""Seconds in which a model that was too slow is not asked again, so that not every call waits for it in vain."""


class _Vector(msgspec.Struct):
    embedding: list[float]


class _Vectors(msgspec.Struct):
    data: list[_Vector]


class DeploymentEmbedder:
    """An `Embedder`. The calls that it makes are the gateway's own: nobody's usage, and in no caller's record."""

    def __init__(
        self, deployment: str, answer: Callable[[Call], Awaitable[Reply]], clock: Clock, *, seconds: float
    ) -> None:
        self._deployment = deployment
        self._answer = answer
        self._clock = clock
        self._seconds = seconds
        self._rests_until = -math.inf
        self._decoder = msgspec.json.Decoder(_Vectors)

    async def embed(self, text: str, call: Call) -> Sequence[float]:
        """See `ports.embedder`."""
        if self._clock.monotonic() < self._rests_until:
            raise Overloaded("The model that makes vectors was too slow just now.")
        asked = msgspec.structs.replace(
            call,
            operation=Operation.EMBEDDINGS,
            name=self._deployment,
            body=msgspec.json.encode({"model": self._deployment, "input": [text]}),
            model_in_body=self._deployment,
            has_model_member=True,
            stream=False,
            forward={},
            headers={},
            started=self._clock.monotonic(),
            record=CallRecord(),
        )
        try:
            async with asyncio.timeout(self._seconds):
                reply = await self._answer(asked)
        except TimeoutError as error:
            self._rests_until = self._clock.monotonic() + _REST
            raise TimedOut("The message's vector was not there in time.", phase="total") from error
        finally:
            asked.record.close()
        try:
            (found,) = self._decoder.decode(reply.body).data
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
            raise Broken("What came is not the vector of a message.") from error
        return found.embedding
