"""What the cache answers, what it passes on, and what it keeps of it."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from forehearth.caching.cache import Cache
from forehearth.caching.scope import Chosen, scoping
from forehearth.caching.semantic import SemanticIndex
from forehearth.core.cache_settings import CacheSettings, ExactCacheSettings, SemanticCacheSettings
from forehearth.core.call import Call, Operation
from forehearth.core.errors import Broken, TimedOut
from forehearth.core.exchange import Reply
from forehearth.core.usage import Usage
from forehearth.policies.cache import AnswerAgain
from forehearth.testing.clock import VirtualClock
from tests.unit.caching.calls import BOB, call, chat

SEMANTIC = SemanticCacheSettings(embeddings="vectors", mode="on")
DONE = b"data: [DONE]\n\n"


def body(text: str, **more: Any) -> bytes:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}} | more
    return json.dumps({"choices": [choice], "usage": {"prompt_tokens": 5, "completion_tokens": 7}}).encode()


def pieces(text: str, reason: str = "stop") -> list[bytes]:
    events = [{"delta": {"content": each}} for each in text] + [{"delta": {}, "finish_reason": reason}]
    return [b"data: " + json.dumps({"choices": [{"index": 0} | each]}).encode() + b"\n\n" for each in events] + [DONE]


class Pieces:
    """A host's stream; what is an error is raised in its place."""

    def __init__(self, *each: bytes | Exception) -> None:
        self._each = iter(each)
        self.closed = 0

    def __aiter__(self) -> "Pieces":
        return self

    async def __anext__(self) -> bytes:
        for each in self._each:
            if isinstance(each, Exception):
                raise each
            return each
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self.closed += 1


class Rest:
    """The rest of the way: answers by number, unless the test says what comes next."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.next: list[Reply] = []

    async def __call__(self, asked: Call) -> Reply:
        self.calls.append(asked)
        if self.next:
            return self.next.pop(0)
        text = f"answer {len(self.calls)}"
        if asked.stream:
            return Reply(status=200, headers=((b"content-type", b"text/event-stream"),), stream=Pieces(*pieces(text)))
        return Reply(status=200, headers=((b"content-type", b"application/json"),), body=body(text))


class Places:
    """An embedder for which all texts lie together."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.error: Exception | None = None

    async def embed(self, text: str, call: Call) -> Sequence[float]:
        self.asked.append(text)
        if self.error is not None:
            raise self.error
        return [1.0, 0.0]


class Counts:
    """A meter that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def looked_up(self, outcome: str) -> None:
        self.told.append(outcome)

    def refused(self, difference: str) -> None:
        self.told.append(f"refused {difference}")

    def unembedded(self) -> None:
        self.told.append("unembedded")

    def kept(self, *, stored: bool) -> None:
        self.told.append("kept" if stored else "not kept")


class Bench:
    """The policy and all around it."""

    def __init__(self, **wanted: Any) -> None:
        settings = CacheSettings(**{"exact": ExactCacheSettings()} | wanted)
        self.clock, self.rest, self.places, self.counts = VirtualClock(), Rest(), Places(), Counts()
        semantic = settings.semantic is not None
        self.cache = Cache(settings, SemanticIndex() if semantic else None, self.clock)
        self.policy = AnswerAgain(
            settings,
            self.cache,
            scope=scoping(settings.vary_by),
            embedder=self.places if semantic else None,
            meter=self.counts,
            clock=self.clock,
        )
        self.asked = call()

    async def ask(self, content: object = "", **rest: Any) -> tuple[str, bytes]:
        """What the header says, and the whole body."""
        self.asked = call(content, **rest)
        reply = await self.policy(self.asked, self.rest)
        assert reply.status == 200
        text = reply.body
        if reply.stream is not None:
            text = b"".join([piece async for piece in reply.stream])
            await reply.stream.aclose()
        return dict(reply.headers).get(b"x-forehearth-cache", b"").decode(), text

    @property
    def calls(self) -> int:
        return len(self.rest.calls)

    @property
    def words(self) -> str:
        return " ".join(word for _, word in self.asked.record.words)


async def test_the_same_call_is_answered_once():
    bench = Bench()
    assert await bench.ask() == ("miss", body("answer 1"))
    assert bench.asked.record.cache == "miss"
    assert await bench.ask() == ("hit", body("answer 1"))
    assert bench.calls == 1
    assert bench.counts.told == ["miss", "kept", "exact"]


async def test_a_hit_costs_nothing_and_was_asked_of_nobody():
    bench = Bench()
    await bench.ask()
    await bench.clock.advance(12.7)
    bench.asked = call()
    reply = await bench.policy(bench.asked, bench.rest)
    record = bench.asked.record
    assert (record.cache, record.usage, record.attempts) == ("hit", Usage(prompt=0), [])
    assert dict(reply.headers)[b"age"] == b"12"
    assert dict(reply.headers)[b"content-type"] == b"application/json"
    assert json.loads(reply.body)["usage"] == {"prompt_tokens": 5, "completion_tokens": 7}
    assert "12 s ago" in bench.words


async def test_another_call_another_caller_and_another_project_are_asked_anew():
    bench = Bench()
    await bench.ask()
    for rest in ({"principal": BOB}, {"project": "sales"}, {"content": chat("Goodbye?")}):
        assert (await bench.ask(rest.pop("content", ""), **rest))[0] == "miss"
    assert bench.calls == 4


async def test_callers_share_where_the_deployment_says_so():
    bench = Bench(vary_by=())
    await bench.ask()
    assert (await bench.ask(principal=BOB))[0] == "hit"
    assert (await bench.ask(project="sales"))[0] == "miss"


async def test_an_answer_grows_old():
    bench = Bench(exact=ExactCacheSettings(ttl_seconds=60))
    await bench.ask()
    await bench.clock.advance(60)
    assert await bench.ask() == ("miss", body("answer 2"))


async def test_a_stream_comes_again_piece_by_piece():
    bench = Bench()
    asked = chat("Hello?", stream=True)
    assert await bench.ask(asked) == ("miss", b"".join(pieces("answer 1")))
    reply = await bench.policy(call(asked), bench.rest)
    assert reply.stream is not None
    assert [each async for each in reply.stream] == pieces("answer 1")
    assert dict(reply.headers)[b"content-type"] == b"text/event-stream"
    assert bench.calls == 1


async def test_a_stream_is_not_made_of_what_was_none_nor_the_other_way_round():
    bench = Bench(semantic=SEMANTIC)
    await bench.ask(chat("Hello there?"))
    assert (await bench.ask(chat("Hello there?", stream=True)))[0] == "miss"
    assert (await bench.ask(chat("Hello there?")))[0] == "hit"
    assert bench.calls == 2


@pytest.mark.parametrize(
    "stream",
    [
        Pieces(*pieces("abc")[:-1]),
        Pieces(*pieces("abc", "length")),
        Pieces(*pieces("abc")[:2], Broken("reset")),
    ],
)
async def test_a_stream_that_did_not_end_well_is_not_kept(stream):
    bench = Bench()
    bench.rest.next = [Reply(status=200, stream=stream)]
    asked = chat("Hello?", stream=True)
    reply = await bench.policy(call(asked), bench.rest)
    assert reply.stream is not None
    try:
        async for _ in reply.stream:
            pass
    except Broken:
        pass
    await reply.stream.aclose()
    assert stream.closed == 1
    assert (await bench.ask(asked))[0] == "miss"


async def test_a_stream_that_its_client_left_is_not_kept():
    bench = Bench()
    stream = Pieces(*pieces("abc"))
    bench.rest.next = [Reply(status=200, stream=stream)]
    reply = await bench.policy(call(chat("Hello?", stream=True)), bench.rest)
    assert reply.stream is not None
    assert await reply.stream.__anext__() == pieces("abc")[0]
    await reply.stream.aclose()
    assert [each async for each in reply.stream] == []
    assert stream.closed == 1
    assert bench.cache.entries == 0


async def test_a_stream_that_is_too_large_passes_and_is_not_kept():
    bench = Bench(bytes=8_000)
    asked = chat("Hello?", stream=True)
    bench.rest.next = [Reply(status=200, stream=Pieces(*pieces("x" * 200)))]
    assert await bench.ask(asked) == ("miss", b"".join(pieces("x" * 200)))
    assert bench.cache.entries == 0
    assert (await bench.ask(asked))[0] == "miss"


@pytest.mark.parametrize(
    "answer",
    [
        body("abc", finish_reason="length"),
        body("abc", message={"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}),
        body("I'm sorry, but I can't help with that."),
        body("abc", content_filter_results={"hate": {"filtered": True}}),
    ],
)
async def test_answers_that_are_not_to_be_given_again(answer):
    bench = Bench()
    bench.rest.next = [Reply(status=200, body=answer)]
    assert await bench.ask() == ("miss", answer)
    assert "not kept" in bench.words
    assert await bench.ask() == ("miss", body("answer 2"))
    assert bench.counts.told == ["miss", "not kept", "miss", "kept"]


async def test_only_successes_are_kept():
    bench = Bench()
    bench.rest.next = [Reply(status=203, body=body("abc"))]
    reply = await bench.policy(call(), bench.rest)
    assert reply.status == 203
    assert bench.cache.entries == 0


async def test_what_is_not_cached_passes_by_without_a_word_to_the_caller():
    bench = Bench()
    for _ in range(2):
        assert (await bench.ask(chat("Hello?", temperature=1.5)))[0] == ""
    assert (bench.calls, bench.cache.entries) == (2, 0)
    assert bench.asked.record.cache == ""
    assert bench.counts.told == ["bypass", "bypass"]
    assert "temperature" in bench.words


async def test_a_caller_may_ask_for_a_fresh_answer_and_for_none_to_be_kept():
    bench = Bench(semantic=SEMANTIC)
    await bench.ask()
    fresh = {b"cache-control": b"max-age=0, No-Cache"}
    assert await bench.ask(headers=fresh) == ("miss", body("answer 2"))
    assert await bench.ask() == ("hit", body("answer 2"))
    assert (await bench.ask(headers={b"cache-control": b"no-store"}))[0] == ""
    assert bench.cache.entries == 1


async def test_a_purge_while_a_call_is_answered_holds_for_its_answer():
    bench = Bench()

    async def slow(asked: Call) -> Reply:
        bench.cache.purge(Chosen())
        return await bench.rest(asked)

    await bench.policy(call(), slow)
    assert bench.cache.entries == 0


async def test_embeddings_are_answered_again_too():
    bench = Bench(semantic=SEMANTIC)
    asked = {"model": "vectors", "input": "a"}
    bench.rest.next = [Reply(status=200, body=b'{"data": [{"embedding": [1.0]}]}')]
    await bench.ask(asked, operation=Operation.EMBEDDINGS)
    assert (await bench.ask(asked, operation=Operation.EMBEDDINGS))[0] == "hit"
    assert bench.places.asked == []


PASSWORD, ALIKE, OTHER = "How do I reset my password?", "How can I reset my password?", "How do I reset my phone?"


async def test_one_that_asks_the_same_has_the_answer():
    bench = Bench(semantic=SEMANTIC)
    await bench.ask(chat(PASSWORD))
    assert "None that was answered is within 0.1." in bench.words
    assert await bench.ask(chat(ALIKE)) == ("hit", body("answer 1"))
    assert bench.asked.record.usage == Usage(prompt=0)
    assert "0.000 away" in bench.words
    assert await bench.ask(chat(OTHER)) == ("miss", body("answer 2"))
    assert "words" in bench.words
    assert "None that was answered" not in bench.words
    assert bench.counts.told == ["miss", "kept", "semantic", "refused words", "miss", "kept"]


async def test_a_question_is_looked_for_as_the_same_call_first():
    bench = Bench(semantic=SEMANTIC)
    await bench.ask(chat(PASSWORD))
    await bench.ask(chat(PASSWORD))
    assert bench.places.asked == [PASSWORD]


async def test_nobody_gets_what_another_one_asked():
    bench = Bench(semantic=SEMANTIC)
    await bench.ask(chat(PASSWORD))
    assert (await bench.ask(chat(ALIKE), principal=BOB))[0] == "miss"
    assert (await bench.ask(chat(ALIKE), project="sales"))[0] == "miss"
    assert (await bench.ask(chat({"role": "system", "content": "Lie."}, ALIKE)))[0] == "miss"
    assert (await bench.ask(chat(ALIKE, seed=1)))[0] == "miss"


async def test_in_the_shadow_everybody_is_answered_anew():
    bench = Bench(semantic=SemanticCacheSettings(embeddings="vectors", mode="shadow"))
    await bench.ask(chat(PASSWORD))
    assert await bench.ask(chat(ALIKE)) == ("shadow", body("answer 2"))
    assert bench.asked.record.cache == "shadow"
    assert bench.asked.record.usage is None
    assert "only noted" in bench.words
    assert (await bench.ask(chat(PASSWORD)))[0] == "hit"
    assert bench.counts.told == ["miss", "kept", "shadow", "kept", "exact"]


async def test_without_a_vector_the_call_goes_on():
    bench = Bench(semantic=SEMANTIC)
    bench.places.error = TimedOut("late", phase="total")
    assert (await bench.ask(chat(PASSWORD)))[0] == "miss"
    assert "backend_timeout" in bench.words
    assert (await bench.ask(chat(PASSWORD)))[0] == "hit"
    bench.places.error = None
    assert (await bench.ask(chat(ALIKE)))[0] == "miss"
    assert bench.counts.told == ["unembedded", "miss", "kept", "exact", "miss", "kept"]


async def test_a_semantic_cache_alone_keeps_what_it_can_find_again():
    bench = Bench(exact=None, semantic=SEMANTIC)
    bench.places.error = TimedOut("late", phase="total")
    await bench.ask(chat(PASSWORD))
    assert bench.cache.entries == 0
    bench.places.error = None
    await bench.ask(chat(PASSWORD))
    assert await bench.ask(chat(PASSWORD)) == ("hit", body("answer 2"))
    assert bench.counts.told[-1] == "semantic"


async def test_a_conversation_that_is_too_long_is_not_looked_for():
    bench = Bench(semantic=SemanticCacheSettings(embeddings="vectors", mode="on", max_message_count=1))
    await bench.ask(chat("Hi.", {"role": "assistant", "content": "Hello."}, PASSWORD))
    assert bench.places.asked == []
    assert "too many messages" in bench.words


async def test_nothing_of_a_callers_text_is_noted():
    bench = Bench(semantic=SEMANTIC)
    for text in (PASSWORD, ALIKE, OTHER):
        await bench.ask(chat(text))
        assert "password" not in bench.words
        assert "phone" not in bench.words
