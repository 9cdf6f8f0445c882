"""JSON lines: whole numbers keep all their digits, however many they are, or are refused by name and line."""

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from forehearth.core.enrichment_settings import JsonlSource
from forehearth.core.errors import Misconfigured
from forehearth.enrichment.source import Source
from forehearth.enrichment.sources.files import open_jsonl

WIDE = 123_456_789_012_345_678_901


def opened(folder: Path, *rows: Any) -> Source:
    (folder / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return open_jsonl(JsonlSource(path="rows.jsonl"), folder)


def values(source: Source, name: str = "n") -> list[Any]:
    return [value for batch in source.read() for value in batch.column(name).to_pylist()]


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (2**63 - 1, pa.int64()),
        (-(2**63), pa.int64()),
        (2**63, pa.decimal128(38)),
        (-(2**63) - 1, pa.decimal128(38)),
        (10**38 - 1, pa.decimal128(38)),
        (10**38, pa.decimal256(76)),
        (1 - 10**76, pa.decimal256(76)),
    ],
)
def test_a_whole_number_keeps_all_its_digits(tmp_path: Path, number: int, kind: pa.DataType) -> None:
    source = opened(tmp_path, {"n": 1}, {"n": number}, {"n": None}, {})
    assert source.schema.field("n").type == kind
    assert values(source) == [1, number, None, None]


def test_one_keeps_them_after_the_first_megabyte_and_in_another_file(tmp_path: Path) -> None:
    opened(tmp_path, *({"n": each, "text": "x" * 100} for each in range(20_000)), {"n": WIDE, "text": ""})
    (tmp_path / "more.jsonl").write_text(f'{{"n": {-WIDE}, "text": ""}}\n')
    source = open_jsonl(JsonlSource(path="."), tmp_path)
    assert values(source) == [-WIDE, *range(20_000), WIDE]


def test_one_keeps_them_below_other_members(tmp_path: Path) -> None:
    source = opened(tmp_path, {"n": {"a": [WIDE, 1], "b": 1.5}, "m": 1}, {"n": {"a": [], "b": 2}, "m": 2})
    assert values(source) == [{"a": [Decimal(WIDE), Decimal(1)], "b": 1.5}, {"a": [], "b": 2.0}]
    assert source.schema.field("m").type == pa.int64()


def test_one_keeps_them_in_a_file_that_is_compressed(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(f'{{"n": {WIDE}}}\n'.encode()))
    assert values(open_jsonl(JsonlSource(path="rows.jsonl.gz"), tmp_path)) == [WIDE]


def test_digits_in_a_text_and_what_floating_point_keeps_are_left_alone(tmp_path: Path) -> None:
    source = opened(tmp_path, {"n": 0.5, "text": f"[{WIDE}]"}, {"n": 10**20, "text": f" {WIDE} "})
    assert source.schema.types == [pa.float64(), pa.string()]
    assert values(source) == [0.5, 1e20]


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        ("1", f"1{'0' * 76}", r"rows\.jsonl, line 2: 'n' is a whole number of more than 76 digits"),
        ("[]", f'[{{"a": 1{"0" * 5_000}}}]', r"line 2: 'n\.\[\]\.a' is a whole number of more than 76 digits"),
        ("0.5", f"{WIDE}", "line 2: 'n' is a whole number beyond 64 bits, and has a fraction elsewhere"),
    ],
)
def test_what_no_type_keeps_is_refused_by_name_and_line(tmp_path: Path, first: str, second: str, says: str) -> None:
    (tmp_path / "rows.jsonl").write_text(f'{{"n": {first}}}\n{{"n": {second}}}\n')
    with pytest.raises(Misconfigured, match=says):
        open_jsonl(JsonlSource(path="rows.jsonl"), tmp_path)


def test_a_line_that_is_no_json_is_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(f'{{"n": {WIDE}}}\n{{"n": \n')
    with pytest.raises(Misconfigured, match="cannot be read: JSON parse error"):
        values(open_jsonl(JsonlSource(path="rows.jsonl"), tmp_path))
