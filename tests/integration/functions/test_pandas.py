"""The examples of Fabric's documentation, with pandas: what is called, and the shapes of what comes back."""

import asyncio
import json
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel, Field

import forehearth.functions as aifunc
from tests.integration.functions.hosts import FILTERED, saying, scripted

REVIEWS = {
    "The cleaning spray permanently stained my beautiful kitchen counter. Never again!": "negative",
    "I used this sunscreen on my vacation to Florida, and I didn't get burned at all. Would recommend.": "positive",
    "I'm torn about this speaker system. The sound was high quality.": "mixed",
    "The umbrella is OK, I guess.": "neutral",
    "…": None,
}
PRODUCTS = {"duvet": "bedroom", "measuring cups": "kitchen", "BRAND NEW CAR": "garage", "nothing": None}
PEOPLE = {
    "MJ Lee lives in Tucson, AZ, and works as a software engineer for Contoso.": ["MJ Lee", "engineer", "Tucson"],
    "Kris Turner is a nurse.": ["Kris Turner", "nurse", None],
}
CARD = {"name": "Alex Rivera", "age": 24}


def few(found):
    return [] if found is None else [found]


RULES = (
    FILTERED,
    *(saying(text, {"sentiment": sentiment}) for text, sentiment in REVIEWS.items()),
    *(saying(text, {"category": category}) for text, category in PRODUCTS.items()),
    *(
        saying(text, {"name": few(name), "profession": few(profession), "city": few(city)})
        for text, (name, profession, city) in PEOPLE.items()
    ),
    saying("scored 12 goals", {"goals": 12}),
    saying("winter sale on the Scarves", "Wrap up warm"),
    saying('"product": "Scarves"', "Scarves for all"),
    saying("fear", "El miedo"),
    saying("There are an error here.", "There is an error here."),
    saying("Microsoft Teams", "A messaging app."),
    saying("Rivera", CARD),
)


@pytest.fixture(autouse=True)
def host() -> Iterator[None]:
    aifunc.setup(scripted(*RULES))
    aifunc.default_conf.progress_bar_mode = "disable"
    yield
    aifunc.default_conf.progress_bar_mode = "basic"
    aifunc.setup()


def test_analyze_sentiment() -> None:
    df = pd.DataFrame(list(REVIEWS), columns=["reviews"], index=[3, 1, 4, 1, 5])
    df["sentiment"] = df["reviews"].ai.analyze_sentiment()
    assert df["sentiment"].dtype == object
    assert df["sentiment"].tolist() == list(REVIEWS.values())
    with pytest.warns(aifunc.RowsFailed, match="4 of 5 rows have no answer"):
        other = df["reviews"].ai.analyze_sentiment("good", "bad")
    assert [type(each) for each in other] == [aifunc.ExceptionResult] * 4 + [type(None)]
    assert other.iloc[0].code == "invalid_output"


def test_classify() -> None:
    df = pd.DataFrame(list(PRODUCTS), columns=["descriptions"])
    df["category"] = df["descriptions"].ai.classify("kitchen", "bedroom", "garage", "other")
    assert df["category"].tolist() == list(PRODUCTS.values())
    with pytest.raises(ValueError, match="classify needs labels"):
        df["descriptions"].ai.classify()


def test_extract_gives_lists() -> None:
    df = pd.DataFrame(list(PEOPLE), columns=["descriptions"], index=["a", "b"])
    found = df["descriptions"].ai.extract("name", "profession", "city")
    assert isinstance(found, pd.DataFrame)
    assert (list(found.columns), list(found.index)) == (["name", "profession", "city"], ["a", "b"])
    assert found["name"].tolist() == [["MJ Lee"], ["Kris Turner"]]
    assert found["city"].tolist() == [["Tucson"], None]
    assert {str(each) for each in found.dtypes} == {"object"}


def test_extract_with_one_item_gives_a_value_of_its_type() -> None:
    df = pd.DataFrame(["Alex, from Barcelona, scored 12 goals last season."], columns=["bio"])
    df["goals"] = df["bio"].ai.extract(
        aifunc.ExtractLabel(label="goals", description="total goals only", max_items=1, type="integer")
    )
    assert df["goals"].tolist() == [12]
    assert type(df["goals"].tolist()[0]) is int


def test_texts() -> None:
    df = pd.DataFrame(["The only thing we have to fear is fear itself.", None], columns=["text"])
    df["translations"] = df["text"].ai.translate("spanish")
    assert df["translations"].tolist() == ["El miedo", None]
    assert df["translations"].dtype == object
    assert pd.Series(["There are an error here."]).ai.fix_grammar().tolist() == ["There is an error here."]
    assert df["text"].ai.summarize(instructions="One word.", conf=aifunc.Conf(temperature=0.5)).tolist()[0]


def test_rows() -> None:
    df = pd.DataFrame(
        [("Microsoft Teams", "2017", "A workspace."), (None, None, None)], columns=["product", "release_year", "text"]
    )
    df["summaries"] = df.ai.summarize()
    assert df["summaries"].tolist() == ["A messaging app.", None]


def test_generate_response() -> None:
    df = pd.DataFrame([("001", "Scarves", "Boots"), ("002", None, "Sweaters")], columns=["id", "product", "rec"])
    template = "Write an email subject line for a winter sale on the {product}."
    df["response"] = df.ai.generate_response(template, is_prompt_template=True)
    assert df["response"].tolist() == ["Wrap up warm", None]
    assert df.head(1).ai.generate_response(prompt="Write a subject line.").tolist() == ["Scarves for all"]
    assert df["product"].head(1).ai.generate_response("Write a subject line.").tolist() == ["Scarves"]
    with pytest.raises(ValueError, match="names a column 'prodct', and there are id, product, rec, response"):
        df.ai.generate_response("{prodct}", is_prompt_template=True)


class Card(BaseModel):
    name: str
    age: int | None = Field(description="in years")


SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}}
FORMATS = [
    "json_object",
    {"type": "json_object"},
    {"type": "json_schema", "json_schema": {"name": "card", "strict": True, "schema": SCHEMA}},
    Card,
    None,
    "text",
]


@pytest.mark.parametrize("form", FORMATS, ids=str)
def test_a_response_of_any_format_is_a_text(form: object) -> None:
    df = pd.DataFrame(["Alex Rivera is a soccer player."], columns=["bio"])
    (found,) = df.ai.generate_response("Create a player card in JSON", response_format=form)
    assert isinstance(found, str)
    assert json.loads(found) == CARD


def test_the_prompt_for_any_json_has_to_say_so() -> None:
    with pytest.raises(ValueError, match="has to say 'json'"):
        pd.DataFrame({"a": ["b"]}).ai.generate_response("Create a card", response_format="json_object")


def test_embed() -> None:
    df = pd.DataFrame(["This duvet", None, "This duvet"], columns=["descriptions"])
    df["embed"] = df["descriptions"].ai.embed()
    first, nothing, last = df["embed"]
    assert (first.dtype, first.shape, nothing) == (np.float32, (1536,), None)
    assert np.array_equal(first, last)


def test_similarity() -> None:
    df = pd.DataFrame(
        [("Bill Gates", "Bill Gates"), ("Satya Nadella", "Toyota"), (None, "Nike")], columns=["names", "companies"]
    )
    df["similarity"] = df["names"].ai.similarity(df["companies"])
    assert df["similarity"].dtype == np.float64
    assert df["similarity"][0] == pytest.approx(1.0)
    assert -1 <= df["similarity"][1] < 1
    assert np.isnan(df["similarity"][2])
    assert df["similarity"].ai.stats["num_successful"][0] == 2
    assert df["names"].ai.similarity("Bill Gates")[0] == pytest.approx(1.0)
    with pytest.raises(ValueError, match="3 texts and 2 others"):
        df["names"].ai.similarity(df["companies"].head(2))


def test_stats_of_a_column_and_of_a_frame() -> None:
    df = pd.DataFrame(["Microsoft Teams", "fear", None], columns=["text"])
    df["summary"] = df["text"].ai.summarize()
    df["vector"] = df["text"].ai.embed()
    stats = df["summary"].ai.stats
    assert list(stats.columns) == [
        "num_successful", "num_exceptions", "num_unevaluated", "num_harmful", "cached_tokens", "input_tokens",
        "output_tokens", "reasoning_tokens", "client_type", "input_types", "model",
    ]  # fmt: skip
    row = stats.iloc[0].to_dict()
    assert (row["num_successful"], row["num_exceptions"], row["input_types"]) == (2, 0, '{"text": 2}')
    assert row["input_tokens"] > 0 < row["output_tokens"]
    assert list(df.ai.stats["model"]) == ["gpt-5-mini", "text-embedding-ada-002"]
    assert len(df["text"].ai.stats) == 0


def test_a_call_that_gives_several_columns_is_one() -> None:
    found = pd.Series(list(PEOPLE)).ai.extract("name", "profession", "city")
    assert len(found["city"].ai.stats) == 1
    assert list(found.ai.stats.index) == ["name, profession, city"]


async def test_within_a_loop_that_runs_already() -> None:
    assert asyncio.get_running_loop()
    assert pd.Series(["fear"]).ai.translate("spanish").tolist() == ["El miedo"]


def test_what_is_not_there_yet_says_so() -> None:
    series, frame = pd.Series(["a.pdf"]), pd.DataFrame({"file": ["a.pdf"]})
    for call in (
        lambda: series.ai.summarize(column_type="path"),
        lambda: frame.ai.generate_response("?", column_type_dict={"file": "path"}),
        series.ai.infer_schema,
        lambda: aifunc.load("folder"),
        lambda: aifunc.list_file_paths("folder"),
    ):
        with pytest.raises(NotImplementedError, match="not there yet"):
            call()
