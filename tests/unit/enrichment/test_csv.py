"""Files of CSV: texts are as they are written, and what would be read otherwise than it is meant is refused."""

from pathlib import Path
from typing import Any

import pytest

from forehearth.core.enrichment_settings import CsvSource
from forehearth.core.errors import Misconfigured
from forehearth.enrichment.sources.files import open_csv


def rows(folder: Path, content: bytes, **settings: Any) -> list[dict[str, Any]]:
    (folder / "x.csv").write_bytes(content)
    source = open_csv(CsvSource(path="x.csv", **settings), folder)
    return [row for batch in source.read() for row in batch.to_pylist()]


def test_words_that_look_like_nothing_are_words_and_gaps_are_gaps(tmp_path: Path) -> None:
    words = ["NA", "null", "N/A", "nan", "NULL"]
    content = "text,n\n" + "".join(f"{word},NA\n" for word in words) + ",1\n"
    found = rows(tmp_path, content.encode())
    assert [row["text"] for row in found] == [*words, None]
    assert [row["n"] for row in found] == [None] * 5 + [1]


def test_a_column_of_such_words_alone_too(tmp_path: Path) -> None:
    assert rows(tmp_path, b"text,n\nNA,1\n,2\n") == [{"text": "NA", "n": 1}, {"text": None, "n": 2}]


def test_what_is_not_utf8_is_refused_and_not_asked_about_as_bytes(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="the column 'text' is not UTF-8"):
        rows(tmp_path, "id,text\n1,Grüße\n".encode("latin-1"))


def test_a_type_of_a_column_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"source.types: .* no column 'zipp'; .* zip, n"):
        rows(tmp_path, b"zip,n\n007,1\n", types={"zipp": "string"})


def test_a_type_that_is_named_is_taken(tmp_path: Path) -> None:
    assert rows(tmp_path, b"zip,n\n007,1\n", types={"zip": "string"}) == [{"zip": "007", "n": 1}]


def test_names_that_are_there_twice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="two columns 'a'"):
        rows(tmp_path, b"a,a\n1,2\n")


@pytest.mark.parametrize("empty", ["a.csv", "z.csv"])
def test_a_file_without_anything_in_it_has_no_rows(tmp_path: Path, empty: str) -> None:
    (tmp_path / empty).write_text("")
    (tmp_path / "m.csv").write_text("a\n1\n")
    source = open_csv(CsvSource(path="."), tmp_path)
    assert [row for batch in source.read() for row in batch.to_pylist()] == [{"a": 1}]


def test_where_no_file_has_anything_it_is_told(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="Empty CSV file"):
        rows(tmp_path, b"")
