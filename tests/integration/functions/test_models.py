"""Each function on real, small models, by way of a server: the shapes of what comes back, and not its sense."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

import forehearth.functions as aifunc
from tests.forehearth_server import ForehearthServer

pytestmark = [
    pytest.mark.models,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore::forehearth.functions.RowsFailed"),  # such a model may not come to an end
]

SETTINGS = {
    "model_deployment_name": "smollm2-135m-instruct",
    "embedding_deployment_name": "all-minilm-l6-v2",
    "temperature": 0,
    "max_output_tokens": 64,
    "progress_bar_mode": "disable",
}
TEXTS = ["I was charged twice, please refund me.", None]


@pytest.fixture(autouse=True)
def server(forehearth: ForehearthServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in forehearth.environment().items():
        monkeypatch.setenv(name, value)
    for name, value in SETTINGS.items():
        monkeypatch.setattr(aifunc.default_conf, name, value)


@pytest.fixture(params=["pandas", "polars"])
def texts(request: pytest.FixtureRequest) -> object:
    return pd.Series(TEXTS) if request.param == "pandas" else pl.Series(TEXTS)


def cells(column):
    return column.to_list() if isinstance(column, pl.Series) else column.tolist()


def is_text(cell: object) -> bool:
    return isinstance(cell, str) and cell != ""


def is_cut(column: object) -> bool:
    """Whether the first row has no answer because the model found no end."""
    if isinstance(column, pl.Series):
        errors: list[dict[str, str] | None] = column.ai.errors.to_list()
        return (errors[0] or {}).get("code") == "truncated"
    return isinstance(column.iloc[0], aifunc.ExceptionResult) and column.iloc[0].code == "truncated"


SHAPES = {
    "analyze_sentiment": (lambda ai: ai.analyze_sentiment(), lambda cell: cell in (*SENTIMENTS, None)),
    "classify": (lambda ai: ai.classify("billing", "technical"), lambda cell: cell in ("billing", "technical", None)),
    "fix_grammar": (lambda ai: ai.fix_grammar(), is_text),
    "generate_response": (lambda ai: ai.generate_response("Say yes or no."), is_text),
    "summarize": (lambda ai: ai.summarize("Five words."), is_text),
    "translate": (lambda ai: ai.translate("french"), is_text),
}
SENTIMENTS = ("positive", "negative", "neutral", "mixed")


@pytest.mark.parametrize("name", SHAPES)
def test_a_column(name: str) -> None:
    call, fits = SHAPES[name]
    found = call(pd.Series(TEXTS).ai)
    first, nothing = cells(found)
    assert (fits(first) or is_cut(found), nothing) == (True, None)
    assert found.ai.stats["model"][0] == "smollm2-135m-instruct"
    assert found.ai.stats["input_tokens"][0] > 0


def test_vectors_and_how_alike_they_are(texts: object) -> None:
    vector = cells(texts.ai.embed())[0]
    assert np.asarray(vector, dtype=np.float32).shape == (384,)
    near, nothing = cells(texts.ai.similarity("Money back for a double charge"))
    far, _ = cells(texts.ai.similarity("A recipe for bread"))
    assert (near > far, np.isnan(nothing) if nothing is not None else True) == (True, True)


def test_labels_have_their_types(texts: object) -> None:
    urgent = aifunc.ExtractLabel("urgency", max_items=1, type="integer", properties={"enum": [1, 2, 3]})
    words = aifunc.ExtractLabel("words", max_items=2, properties={"enum": ["refund", "charge", "crash"]})
    found = texts.ai.extract(urgent, words)
    assert list(found.columns) == ["urgency", "words"]
    assert found["urgency"][0] in (1, 2, 3, None)
    said = cells(found["words"])[0] or []
    assert (set(said) <= {"refund", "charge", "crash"}, len(said) <= 2) == (True, True)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_rows(frame) -> None:
    table = frame({"id": [1], "text": TEXTS[:1]})
    summary = table.ai.summarize()
    assert is_text(cells(summary)[0]) or is_cut(summary)
    schema = {"type": "object", "properties": {"paid": {"type": "boolean"}}, "required": ["paid"]}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    found = cells(table.ai.generate_response("Was it paid? {text}", is_prompt_template=True, response_format=form))
    assert found[0].replace(" ", "") in ('{"paid":true}', '{"paid":false}')
