"""The form of a journal's files: whatever the last write left, all that is whole is read."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from forehearth.accounting import segments
from forehearth.accounting.segments import Batch, line, parse

PAYLOADS = [b'["intent","a"]', b'{"b":"\xc3\xa4"}', b'["outcome","c",1.5]']
WHOLE = b"".join(map(line, PAYLOADS))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pieces")


def test_a_record_is_a_line_with_a_check_sum_before_it():
    assert line(b"[1]") == b"4c2f32b8 [1]\n"


def test_cut_at_every_byte_of_the_last_record_all_before_it_is_read():
    last = line(PAYLOADS[-1])
    for cut in range(1, len(last)):
        rest = WHOLE[: len(WHOLE) - len(last) + cut]
        found = parse(rest, 0, over=True)
        whole = PAYLOADS if cut == len(last) - 1 else PAYLOADS[:-1]
        assert found.payloads == whole, cut
        assert found.end == len(rest)
        assert found.damaged == (0 if cut == len(last) - 1 else 1), cut


def test_while_it_is_written_a_part_of_a_record_is_left_for_later():
    last = line(PAYLOADS[-1])
    for cut in range(len(last)):
        found = parse(WHOLE[: len(WHOLE) - len(last) + cut], 100, over=False)
        assert found == Batch(payloads=PAYLOADS[:-1], end=100 + len(WHOLE) - len(last))


@given(some.integers(0, 5_000))
def test_zeros_at_the_end_are_nothing(zeros: int):
    assert parse(WHOLE + bytes(zeros), 0, over=True) == Batch(payloads=PAYLOADS, end=len(WHOLE) + zeros)


@given(some.integers(1, len(WHOLE) - 1), some.integers(1, 40))
def test_zeros_in_the_middle_take_only_the_records_that_they_touch(where: int, zeros: int):
    damaged = (WHOLE[:where] + bytes(zeros) + WHOLE[where + zeros :])[: len(WHOLE)]
    ends = [sum(len(line(each)) for each in PAYLOADS[: count + 1]) for count in range(len(PAYLOADS))]
    untouched = [
        payload
        for payload, end in zip(PAYLOADS, ends, strict=True)
        if end <= where or end - len(line(payload)) >= where + zeros
    ]
    found = parse(damaged, 0, over=True).payloads
    assert [each for each in found if each in untouched] == untouched
    assert all(each in PAYLOADS for each in found)


@given(some.integers(0, len(WHOLE) - 1), some.integers(1, 255))
def test_a_changed_byte_takes_the_record_that_it_is_in(where: int, change: int):
    damaged = bytearray(WHOLE)
    damaged[where] ^= change
    found = parse(bytes(damaged), 0, over=True)
    assert len(found.payloads) >= 1
    assert all(each in PAYLOADS for each in found.payloads)


@settings(max_examples=40)
@given(
    some.lists(some.text(min_size=1).filter(lambda each: not {"\n", "\0"} & {*each}), max_size=20), some.integers(1, 60)
)
def test_read_in_any_pieces_it_is_the_same(folder: Path, texts: list[str], size: int):
    path, payloads = folder / "000001", [each.encode("utf-8", "surrogatepass") for each in texts]
    path.write_bytes(b"".join(map(line, payloads)))
    found, start, end = [], -1, 0
    while end > start:
        start = end
        batch = segments.read(path, start, over=False, most=size)
        found += batch.payloads
        end = batch.end
    assert found == payloads
    assert end == path.stat().st_size


def test_lines_that_nobody_wants_are_passed_over_unread():
    data = line(b'["intent",1]') + line(b'["outcome",2]') + b'00000000 ["intent",3]\n' + line(b'["outcome",4]')
    found = parse(data, 7, over=False, but=b'["intent"')
    assert found == Batch(payloads=[b'["outcome",2]', b'["outcome",4]'], end=7 + len(data))
