"""Finds out what each answer used, and writes it to the call's record.

The backend is asked to report it, at the end of streams too, where a client did not ask for that it does not see it.
What a backend does not report is counted here, by the deployment's vocabulary or by its bytes, and marked as counted.
When a client leaves, the backend's connection is closed and what came until then is counted; or, where the deployment
says so, the answer is read to its end, which is what the backend will charge for.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Self

import msgspec

from forehearth.accounting.tokens import TokenBounds
from forehearth.core.call import MEDIA, Call
from forehearth.core.errors import ForehearthError
from forehearth.core.exchange import Reply, Stream
from forehearth.core.limit_settings import TokenSettings
from forehearth.core.tap import Tap
from forehearth.core.usage import Usage
from forehearth.dialects import answers, json_members, response_texts, usage
from forehearth.dialects.answers import StreamText
from forehearth.dialects.response_texts import ResponseText
from forehearth.dialects.usage_events import WithoutUsage
from forehearth.policies.drains import Drains
from forehearth.policies.media_usage import NoteMediaUsage
from forehearth.policies.onion import Proceed
from forehearth.ports.meter import Meter

_NAME = "usage"
_OPTIONS = "stream_options"
_ASKING = b'{"include_usage":true}'
_SILENT_EVENTS = 2
"""Events of each choice that may have no token: its role, and its end."""
_LONGEST_TOKEN = 16
"""Bytes of a token, on the average of a whole answer, at the most: prose has four or five."""
_COUNTED_AGAIN = 8
"""A long answer is counted anew when it has so large a part of its bound in bytes more."""
_LOOKED_AT_AGAIN = 64
"""Every so many streams it is looked at again whether a deployment's events are tokens."""


class CountUsage:
    """A policy, next to the attempts at the backends. With `drains`, answers whose clients left are read to the end."""

    def __init__(
        self,
        deployment: str,
        meter: Meter,
        *,
        tokens: TokenBounds | None = None,
        drains: Drains | None = None,
        asks: bool = True,
    ) -> None:
        self._deployment = deployment
        self._meter = meter
        self._media = NoteMediaUsage(deployment, meter)
        self._tokens = tokens or TokenBounds(TokenSettings(), "", None)
        self._drains = drains
        self._asks = asks
        self._by_token = False
        self._streams = 0

    async def __call__(self, call: Call, proceed: Proceed) -> Reply:
        """Pass the call on, and look at what comes back."""
        if call.operation in MEDIA:
            return await self._media(call, proceed)
        hides = self._asks and call.stream and not call.usage_asked
        sent = _asking(call) if hides else call
        reply = await (proceed(sent) if self._drains is None else self._outlasting(sent, proceed, self._drains))
        if reply.stream is not None:
            return msgspec.structs.replace(reply, stream=self._watched(call, reply, reply.stream, hides=hides))
        self._note_whole(call, reply)
        return reply

    def note(self, call: Call, found: Usage | None, texts: Sequence[str]) -> None:
        """Write down what was reported, or count what was said."""
        record = call.record
        if found is None:
            prompt = self._tokens.counted(call, self._tokens.of(call, None)).prompt
            if record.reserved:  # what we put into the body ourselves is none of the caller's prompt
                prompt = min(prompt, record.estimated)
            completion, most = self._tokens.count(texts), record.reserved - record.estimated
            if record.reserved and not record.cut:
                completion = min(completion, most)
            found = Usage(prompt=prompt, completion=completion, counted=True)
            by = "the deployment's vocabulary" if self._tokens.counts else "bytes, which is an upper bound"
            record.say(_NAME, f"The backend did not report usage; it was counted here, by {by}.")
        else:
            self._meter.tokens(self._deployment, found)
        record.usage = found
        if record.attempts:
            record.attempts[-1].usage = found

    def learn(self, text: StreamText, reported: Usage) -> None:
        """See, once in a while, whether every event of this deployment's streams has a token or more.

        Most hosts send token by token, and then events can be counted; some send letter by letter.
        """
        if self._streams % _LOOKED_AT_AGAIN == 0:
            self._by_token = text.spoken() <= reported.completion
        self._streams += 1

    def is_longer(self, text: StreamText, tokens: int, choices: int) -> bool:
        """Whether an answer has more tokens than that, beyond doubt."""
        if text.events <= tokens + _SILENT_EVENTS * choices and text.size <= _LONGEST_TOKEN * tokens:
            return False
        if self._tokens.counts:
            if text.said_size() < text.counted + tokens // _COUNTED_AGAIN:
                return False
            text.counted = text.said_size()
            return text.counted > tokens and self._tokens.count(text.texts()) > tokens
        return (self._by_token and text.spoken() > tokens) or text.said_size() > _LONGEST_TOKEN * tokens

    def _note_whole(self, call: Call, reply: Reply) -> None:
        read, texts = (usage.read_response, response_texts.texts) if reply.in_responses else (usage.read, answers.texts)
        found = read(reply.body)
        self.note(call, found, () if found is not None else texts(reply.body))

    def _watched(self, call: Call, reply: Reply, stream: Stream, *, hides: bool) -> "_Watched":
        if self._drains is None:
            return _Watched(self, call, stream, _text_of(reply), hides=hides)
        return _Drained(self, call, stream, _text_of(reply), hides=hides, drains=self._drains)

    async def _outlasting(self, call: Call, proceed: Proceed, drains: Drains) -> Reply:
        """The reply; when the client leaves before there is one, it is waited for all the same."""
        asking = asyncio.ensure_future(proceed(call))
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            call.record.hold()
            drains.begin(self._finish(call, asking, drains))
            raise

    async def _finish(self, call: Call, asking: "asyncio.Future[Reply]", drains: Drains) -> None:
        try:
            reply = await asking
            if reply.stream is None:
                self._note_whole(call, reply)
            else:
                await _Drained(self, call, reply.stream, _text_of(reply), hides=False, drains=drains).drain()
        except ForehearthError as error:
            call.record.say(_NAME, f"The client had left, and the backend failed: {error.code}.")
        finally:
            call.record.close()


class _Watched(Tap):
    """A stream that is looked at as it passes, and reported on once: when it ends, breaks off or is let go."""

    __slots__ = ("_call", "_hidden", "_is_bounded", "_is_plain", "_most", "_policy", "_reported", "_text")

    def __init__(self, policy: CountUsage, call: Call, stream: Stream, text: StreamText, *, hides: bool) -> None:
        super().__init__(stream)
        self._policy = policy
        self._call = call
        self._text = text
        self._hidden = WithoutUsage() if hides else None
        self._most = call.record.reserved - call.record.estimated
        self.may_cut = self._is_bounded = call.record.reserved > 0
        self._is_plain = not self._is_bounded and self._hidden is None
        self._reported = False

    def take(self, piece: bytes) -> bytes:
        """See `core.tap`."""
        self._text.feed(piece)
        if self._is_plain:
            return piece
        self._count(piece)
        shown = piece if self._hidden is None else self._hidden.feed(piece)
        return shown + self._cut_off() if self._is_bounded and self._is_too_long() else shown

    def end(self) -> bytes:
        """See `core.tap`."""
        self._report()
        return b"" if self._hidden is None else self._hidden.finish()

    def broke(self, error: BaseException) -> bytes:  # noqa: ARG002 - whatever it is
        """See `core.tap`."""
        self._report(cut=True)
        return b""

    async def aclose(self) -> None:
        """See `core.exchange.Stream`. Before the end, it is the client that left."""
        self._report(cut=not self.over)
        await super().aclose()

    def _count(self, piece: bytes) -> None:
        if self._is_bounded:
            self._text.count(piece)

    def _is_too_long(self) -> bool:
        """Whether the backend has ignored its bound."""
        return self._policy.is_longer(self._text, self._most, self._call.choices)

    def _cut_off(self) -> bytes:
        """The end of a stream whose budget is used up, well-formed. Closing it ends the backend's."""
        self.over = True
        message = f"The answer was ended after {self._most} tokens: what was reserved for it is used up."
        self._call.record.say(_NAME, "The backend went beyond the bound that it was sent; its stream was ended.")
        self._report(cut=True)
        return self._text.cut_short(message, self._call.record.usage if self._call.usage_asked else None)

    def _report(self, *, cut: bool = False) -> None:
        if self._reported:
            return
        self._reported = True
        self._call.record.cut = cut
        found = self._text.usage()
        if found is not None and not cut and self._is_bounded:
            self._policy.learn(self._text, found)
        self._policy.note(self._call, found, () if found is not None else self._text.texts())


class _Outlasting:
    """A stream whose next piece is waited for though its reader was cancelled: whoever reads on gets it."""

    __slots__ = ("_stream", "reading")

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.reading: asyncio.Future[bytes] | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        reading = self.reading = self.reading or asyncio.ensure_future(self._stream.__anext__())
        try:
            return await asyncio.shield(reading)
        finally:
            if reading.done():
                self.reading = None

    async def next(self) -> bytes | None:
        """The next piece; None at the end. Cancelling this reader does end it."""
        reading, self.reading = self.reading, None
        try:
            return await (self._stream.__anext__() if reading is None else reading)
        except StopAsyncIteration:
            return None

    async def aclose(self) -> None:
        """See `core.exchange.Stream`."""
        await self._stream.aclose()


class _Drained(_Watched):
    """One that is read to its end when its client has left, for its usage alone."""

    __slots__ = ("_drains", "_outlasting")

    def __init__(
        self, policy: CountUsage, call: Call, stream: Stream, text: StreamText, *, hides: bool, drains: Drains
    ) -> None:
        self._outlasting = _Outlasting(stream)
        super().__init__(policy, call, self._outlasting, text, hides=hides)
        self._drains = drains

    def broke(self, error: BaseException) -> bytes:
        """See `core.tap`. Where only the reader was cancelled, it goes on."""
        if self._outlasting.reading is None:
            return super().broke(error)
        self.over = False
        return b""

    async def aclose(self) -> None:
        """See `core.exchange.Stream`. Before the end, it is the client that left."""
        if self.over:
            await super().aclose()
            return
        self.over = True
        self._call.record.hold()
        self._drains.begin(self._drain_and_close())

    async def drain(self) -> None:
        """Read to the end. What goes wrong in it only means that less is known."""
        cut = True
        try:
            while (piece := await self._outlasting.next()) is not None:
                self._text.feed(piece)
                self._count(piece)
                if self._is_bounded and self._is_too_long():
                    break
            else:
                cut = False
        except ForehearthError as error:
            self._call.record.say(_NAME, f"The client had left, and the stream broke off: {error.code}.")
        finally:
            self._report(cut=cut)
            await self._outlasting.aclose()

    async def _drain_and_close(self) -> None:
        try:
            await self.drain()
        finally:
            self._call.record.close()


def _text_of(reply: Reply) -> StreamText:
    """What follows the reply's stream."""
    return ResponseText() if reply.in_responses else StreamText()


def _asking(call: Call) -> Call:
    """The call, with usage asked for at the end of its stream."""
    if call.usage_asked is None:
        body = json_members.insert_first(call.body, _OPTIONS, _ASKING)
    else:
        given = [each for each in json_members.members(call.body) if each.key == _OPTIONS][-1]
        options: dict[str, Any] | None = msgspec.json.decode(call.body[given.value_start : given.end])
        value = msgspec.json.encode({**(options or {}), "include_usage": True})
        body = json_members.replace(call.body, _OPTIONS, value)
    return msgspec.structs.replace(call, body=body)
