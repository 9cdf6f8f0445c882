"""The same functions with Polars. Its columns have one type: a row without an answer is null; `errors` says why."""

from collections.abc import Iterator

import polars as pl
import pytest

import forehearth.functions as aifunc
from tests.integration.functions.hosts import FILTERED, saying, scripted

RULES = (
    FILTERED,
    saying("charged", {"category": "billing"}),
    saying("crash", {"category": None}),
    saying("goals", {"goals": 12, "teams": ["one", "two"]}),
    saying("because", {"city": [{"reason": "it says so", "extraction_text": "Tucson"}]}),
    saying("hello", "hola"),
)


@pytest.fixture(autouse=True)
def host() -> Iterator[None]:
    aifunc.setup(scripted(*RULES))
    yield
    aifunc.setup()


def test_texts_have_the_type_of_texts() -> None:
    texts = pl.Series("text", ["hello", None])
    for found in (
        texts.ai.translate("spanish"),
        texts.ai.summarize(),
        texts.ai.fix_grammar(),
        texts.ai.generate_response("Say it in Spanish"),
    ):
        assert (found.name, found.dtype, found.to_list()) == ("text", pl.String, ["hola", None])


def test_labels() -> None:
    texts = pl.Series("text", ["I was charged twice", "It does crash"])
    assert texts.ai.classify("billing", "technical").to_list() == ["billing", None]


def test_whole_rows() -> None:
    frame = pl.DataFrame({"id": [1, 2], "text": ["hello", None]})
    assert frame.ai.summarize().to_list()[0] == "hola"
    assert frame.ai.generate_response("Answer {text}", is_prompt_template=True).to_list() == ["hola", None]


def test_extract_has_the_types_of_the_labels() -> None:
    goals = aifunc.ExtractLabel("goals", max_items=1, type="integer")
    found = pl.Series(["three goals", None]).ai.extract(goals, "teams")
    assert found.schema == {"goals": pl.Int64, "teams": pl.List(pl.String)}
    assert found.rows() == [(12, ["one", "two"]), (None, None)]


def test_extract_tells_its_reasons_where_they_are_asked_for() -> None:
    city = aifunc.ExtractLabel("city", max_items=1, raw_col="city_raw")
    found = pl.Series(["because"]).ai.extract(city)
    assert found["city"].to_list() == ["Tucson"]
    assert found["city_raw"].to_list() == [[{"reason": "it says so", "extraction_text": "Tucson"}]]


def test_vectors() -> None:
    texts = pl.Series(["one", None, "two"])
    assert texts.ai.embed().dtype == pl.List(pl.Float32)
    alike = texts.ai.similarity(texts)
    assert (alike.dtype, alike.to_list()) == (pl.Float64, [pytest.approx(1.0), None, pytest.approx(1.0)])


def test_why_a_row_has_no_answer() -> None:
    frame = pl.DataFrame({"text": ["filtered words", "charged", "nothing"]})
    with pytest.warns(aifunc.RowsFailed, match="2 of 3 rows"):
        frame = frame.with_columns(frame["text"].ai.classify("billing", "technical").alias("category"))
    assert frame["category"].to_list() == [None, "billing", None]
    first, second, third = frame["category"].ai.errors.to_list()
    assert first == {"result": "FilterResult", "code": "content_filter", "message": "The prompt was filtered."}
    assert (second, third["result"], third["code"]) == (None, "ExceptionResult", "invalid_output")
    good, failed = aifunc.split_results(frame["category"])
    assert (good.to_list(), len(failed)) == (["billing"], 2)
    (row,) = frame.ai.stats.rows(named=True)
    assert (row["num_successful"], row["num_harmful"], row["num_exceptions"]) == (1, 1, 1)


def test_a_column_that_no_function_made_has_no_errors_and_no_stats() -> None:
    column = pl.Series("own", ["never seen before", None])
    assert column.ai.errors.to_list() == [None, None]
    assert column.ai.stats.shape == (0, 11)
