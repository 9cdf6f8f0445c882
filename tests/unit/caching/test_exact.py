"""What is kept, for how long, and what makes room for what."""

import random

from forehearth.caching.answers import Answer
from forehearth.caching.exact import Answers, Entry
from forehearth.caching.scope import Chosen, Scope
from forehearth.core.exchange import Reply

HERE, THERE = Scope(project=""), Scope(project="sales")
TTL = 100.0
NEVER = float("-inf")


def answer(body: bytes = b"x", made: float = 0.0) -> Answer:
    return Answer(headers=(), body=body, made=made)


def keeping(entries: int = 3, size: int = 1_000_000) -> tuple[Answers, list[bytes]]:
    gone: list[bytes] = []
    return Answers(entries=entries, size=size, ttl=TTL, dropped=lambda each: gone.append(each.exact)), gone


def test_an_answer_is_found_by_its_call_in_its_scope():
    answers, _ = keeping()
    answers.put(HERE, b"1", answer(b"one"))
    found = answers.get(HERE, b"1", since=NEVER)
    assert found is not None
    assert found.answer.body == b"one"
    assert answers.get(THERE, b"1", since=NEVER) is None
    assert answers.get(HERE, b"2", since=NEVER) is None


def test_the_one_used_longest_ago_makes_room():
    answers, gone = keeping(entries=2)
    answers.put(HERE, b"1", answer())
    answers.put(HERE, b"2", answer())
    answers.get(HERE, b"1", since=NEVER)
    answers.put(HERE, b"3", answer())
    assert gone == [b"2"]
    assert len(answers) == 2


def test_bytes_are_bounded():
    answers, gone = keeping(entries=100, size=20_000)
    for number in range(20):
        answers.put(HERE, b"%d" % number, answer(b"x" * 1_000))
        assert answers.bytes <= 20_000
    assert gone == [b"%d" % number for number in range(len(gone))]
    assert len(answers) + len(gone) == 20


def test_what_would_crowd_out_the_others_is_not_kept():
    answers, _ = keeping(size=80_000)
    assert answers.put(HERE, b"1", answer(b"x" * 10_001)) is None
    assert answers.put(HERE, b"1", answer(b"x" * 5_000), beside=6_000) is None
    assert answers.put(HERE, b"1", answer(b"x" * 5_000)) is not None


def test_an_answer_that_is_too_old_is_not_given_and_goes():
    answers, gone = keeping()
    answers.put(HERE, b"1", answer(made=0.0))
    answers.put(HERE, b"2", answer(made=50.0))
    assert answers.get(HERE, b"1", since=0.0) is None
    assert answers.get(HERE, b"2", since=49.9) is not None
    answers.expire(99.9)
    assert gone == []
    answers.expire(TTL)
    assert gone == [b"1"]
    answers.put(HERE, b"3", answer(made=150.0))
    assert gone == [b"1", b"2"]


def test_a_newer_answer_takes_the_older_ones_place():
    answers, gone = keeping()
    answers.put(HERE, b"1", answer(b"old"))
    size = answers.bytes
    answers.put(HERE, b"1", answer(b"new"))
    assert gone == [b"1"]
    assert (len(answers), answers.bytes) == (1, size)
    found = answers.get(HERE, b"1", since=NEVER)
    assert found is not None
    assert found.answer.body == b"new"


def test_a_purge_takes_what_is_meant():
    answers, gone = keeping(entries=10)
    mine, shared = Scope(project="", caller=("key", "", "key_a")), Scope(project="sales", caller=("key", "", "key_b"))
    answers.put(mine, b"1", answer())
    answers.put(shared, b"2", answer())
    answers.put(HERE, b"3", answer())
    assert answers.purge(Chosen(caller="key_a")) == 1
    assert answers.purge(Chosen(project="sales", caller="key_a")) == 0
    assert answers.purge(Chosen(project="sales")) == 1
    assert gone == [b"1", b"2"]
    assert answers.purge(Chosen()) == 1
    assert (len(answers), answers.bytes) == (0, 0)


def test_bounds_and_sums_hold_whatever_happens():
    dice = random.Random(5)
    answers, _ = keeping(entries=8, size=30_000)
    there: set[Entry] = set()
    now = 0.0
    for _ in range(2_000):
        now += dice.random()
        exact = b"%d" % dice.randrange(12)
        if dice.random() < 0.5:
            entry = answers.put(HERE, exact, answer(b"x" * dice.randrange(4_000), made=now))
            there |= {entry} if entry else set()
        else:
            answers.get(HERE, exact, since=now - 5)
        kept = {each for each in there if answers.get(HERE, each.exact, since=NEVER) is each}
        assert len(answers) == len(kept) <= 8
        assert answers.bytes == sum(each.size for each in kept) <= 30_000
        there = kept


def test_what_a_host_said_of_that_moment_is_not_kept():
    headers = [(b"content-type", b"application/json"), (b"x-ratelimit-remaining-tokens", b"5"), (b"x-ms-region", b"r")]
    kept = Answer.of(Reply(status=200, headers=headers, body=b"{}"), 1.0)
    assert kept.headers == ((b"content-type", b"application/json"), (b"x-ms-region", b"r"))
    assert kept.reply((b"age", b"3")).headers[-1] == (b"age", b"3")


async def test_a_stream_comes_again_in_the_same_pieces():
    pieces = tuple(b"data: %d\n\n" % number for number in range(100))
    kept = Answer.of(Reply(status=200), 1.0, pieces)
    for _ in range(2):
        stream = kept.reply().stream
        assert stream is not None
        assert tuple([each async for each in stream]) == pieces
    assert kept.size > sum(map(len, pieces))


async def test_a_stream_that_is_let_go_has_ended():
    stream = Answer.of(Reply(status=200), 1.0, (b"1", b"2")).reply().stream
    assert stream is not None
    assert await stream.__anext__() == b"1"
    await stream.aclose()
    assert [each async for each in stream] == []
