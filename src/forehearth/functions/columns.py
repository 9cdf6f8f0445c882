"""The functions over columns as lists, as the accessors of every library of tables have them.

A text is a `str`, nothing is None, and what had no answer in an earlier call is a `NonResult`.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from forehearth.core.function_settings import SENTIMENTS
from forehearth.enrichment.labels import labels_of
from forehearth.enrichment.template import Template
from forehearth.functions import questions
from forehearth.functions.asking import Answers, ask, cells_of, finished, hear
from forehearth.functions.conf import Conf
from forehearth.functions.results import NonResult

_ROW: Final = "row of a table, given as JSON,"


def texts(values: Sequence[Any]) -> list[Any]:
    """Values as inputs. What is no text is written as one."""
    return [each if each is None or isinstance(each, str | NonResult) else str(each) for each in values]


def rows(columns: Mapping[str, Sequence[Any]]) -> list[Any]:
    """Rows as inputs: JSON of what is in them. A row that has nothing is nothing."""
    inputs: list[Any] = []
    for row in zip(*columns.values(), strict=True):
        failed = next((each for each in row if isinstance(each, NonResult)), None)
        there = {name: value for name, value in zip(columns, row, strict=True) if value is not None}
        text = json.dumps(there, ensure_ascii=False, default=_plain) if there else None
        inputs.append(text if failed is None else failed)
    return inputs


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


def summarize(inputs: Sequence[Any], conf: Conf, instructions: str | None = None, *, whole_rows: bool) -> Answers:
    """A summary of each."""
    return ask(questions.summary(conf, instructions, rows=whole_rows), inputs, conf)


def translate(inputs: Sequence[Any], conf: Conf, to_lang: str) -> Answers:
    """Each in another language."""
    return ask(questions.translation(conf, to_lang), inputs, conf)


def fix_grammar(inputs: Sequence[Any], conf: Conf) -> Answers:
    """Each without mistakes."""
    return ask(questions.correction(conf), inputs, conf)


def analyze_sentiment(inputs: Sequence[Any], conf: Conf, labels: Sequence[str]) -> Answers:
    """A sentiment of each, or None."""
    return ask(questions.choice("analyze_sentiment", conf, labels or SENTIMENTS), inputs, conf)


def classify(inputs: Sequence[Any], conf: Conf, labels: Sequence[str]) -> Answers:
    """A label of each, or None."""
    return ask(questions.choice("classify", conf, labels), inputs, conf)


def respond(inputs: Sequence[Any], conf: Conf, prompt: str, response_format: Any, *, whole_rows: bool) -> Answers:
    """What a prompt asks of each."""
    about = _ROW if whole_rows else "text"
    return ask(questions.response(conf, prompt, response_format, about=about), inputs, conf)


def respond_to(columns: Mapping[str, Sequence[Any]], conf: Conf, prompt: str, response_format: Any) -> Answers:
    """What a prompt with places for a row's values asks of each. Raises `ValueError` for a place without a column."""
    template = Template(prompt)
    missing = [name for name in template.columns if name not in columns]
    if missing:
        raise ValueError(f"the prompt names a column '{missing[0]}', and there are {', '.join(columns)}")
    chosen = {name: texts(columns[name]) for name in template.columns}
    plain = {name: [None if isinstance(each, NonResult) else each for each in cells] for name, cells in chosen.items()}
    count = len(next(iter(columns.values()), ()))
    inputs: list[Any] = list(template.render(plain, count))
    for cells in chosen.values():
        inputs = [cell if isinstance(cell, NonResult) else each for cell, each in zip(cells, inputs, strict=True)]
    return ask(questions.response(conf, prompt, response_format, about=""), inputs, conf)


def embed(inputs: Sequence[Any], conf: Conf) -> Answers:
    """The vector of each."""
    return ask(questions.vector("embed", conf), inputs, conf)


def similarity(inputs: Sequence[Any], others: Sequence[Any] | str, conf: Conf) -> Answers:
    """How alike each is to the other beside it, or to a text: the cosine of their vectors."""
    if not isinstance(others, str) and len(others) != len(inputs):
        raise ValueError(f"there are {len(inputs):,} texts and {len(others):,} others: they are compared one by one")
    question, both = questions.vector("similarity", conf), [*inputs, *([others] if isinstance(others, str) else others)]
    heard = hear(question, both, conf)
    cells = cells_of(question, both, heard)
    ones, rest = cells[: len(inputs)], cells[len(inputs) :]
    alike = [_alike(*pair) for pair in zip(ones, rest * len(ones) if isinstance(others, str) else rest, strict=True)]
    return finished(question, conf, alike, heard, inputs=both, rows=sum(each is not None for each in alike))


def _alike(one: Any, other: Any) -> Any:
    for each in (one, other):
        if each is None or isinstance(each, NonResult):
            return each
    length = float(np.linalg.norm(one)) * float(np.linalg.norm(other))
    return float(np.dot(one, other)) / length if length else 0.0


def extract(inputs: Sequence[Any], conf: Conf, wanted: Sequence[Any]) -> tuple[Answers, dict[str, list[Any]]]:
    """What each says of some labels: the answers whole, and the columns of the labels."""
    question = questions.extraction(conf, labels_of(wanted))
    answers = ask(question, inputs, conf)
    columns = {
        name: [each[name] if isinstance(each, dict) else each for each in answers.cells]
        for name in question.spec.answers
    }
    return answers, columns


def arrow_types(wanted: Sequence[Any], conf: Conf) -> Mapping[str, Any]:
    """The Arrow types of the columns that `extract` gives."""
    return questions.extraction(conf, labels_of(wanted)).spec.answers
