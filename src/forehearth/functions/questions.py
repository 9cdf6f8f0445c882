"""What each function asks, as a session or a call is set, and what a cell is made of the answer.

The words are those of `enrichment.questions`, which job files have too.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from forehearth.enrichment import questions
from forehearth.enrichment.answer_schema import AnswerSchema, BadSchema, Misfit
from forehearth.enrichment.labels import ExtractLabel
from forehearth.enrichment.spec import Spec, of_question
from forehearth.enrichment.template import Template
from forehearth.functions import response_format as forms
from forehearth.functions.conf import Conf

_TEXT: Final = Template("{text}")


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of each text. `read` makes the cell of what was answered; it raises `Misfit`."""

    name: str
    spec: Spec
    read: Callable[[str], Any]


def summary(conf: Conf, instructions: str | None, *, rows: bool) -> Question:
    """A summary of a text, or of a row."""
    return _of_one("summarize", conf, questions.summary(instructions, rows=rows))


def translation(conf: Conf, to_lang: str) -> Question:
    """A text in another language."""
    return _of_one("translate", conf, questions.translation(to_lang))


def correction(conf: Conf) -> Question:
    """A text without mistakes."""
    return _of_one("fix_grammar", conf, questions.correction())


def choice(name: str, conf: Conf, labels: Sequence[Any]) -> Question:
    """One of some labels, or null. Raises `ValueError` where there are none."""
    if not labels or not all(isinstance(each, str) and each for each in labels):
        raise ValueError(f"{name} needs labels that are words")
    what = "sentiment" if name == "analyze_sentiment" else "category"
    return _of_one(name, conf, questions.choice(what, labels))


def extraction(conf: Conf, labels: Sequence[ExtractLabel]) -> Question:
    """What a text says of some labels: the cells of each column by its name.

    Raises `ValueError` for a label whose type cannot be checked.
    """
    try:
        asked = questions.extraction(labels)
    except BadSchema as error:
        raise _refused("extract", error) from None
    names, read = list(asked.cells.columns), asked.cells.read
    return Question(name="extract", spec=_of(conf, asked), read=lambda text: dict(zip(names, read(text), strict=True)))


def response(conf: Conf, prompt: str, response_format: Any, *, about: str) -> Question:
    """What a prompt asks of each row. `about` is what the next message is; empty where that is the prompt itself."""
    kind, shape = forms.read(response_format)
    if kind == "json_object" and "json" not in prompt.lower():
        raise ValueError("with the response_format json_object the prompt has to say 'json'")
    schema = None if shape is None else _checked(shape)
    words = [prompt, questions.data(about)] if about else []
    words += ["Answer in plain text."] if kind == "text" else []
    spec = _spec(conf, "\n\n".join(words) or None, schema)
    if kind == "json_object":
        spec = msgspec.structs.replace(spec, options={**spec.options, "response_format": {"type": kind}})
    return Question(name="generate_response", spec=spec, read=_json_object if kind == "json_object" else str)


def vector(name: str, conf: Conf) -> Question:
    """The vector of a text, of 32-bit floats."""
    return _of_one(name, conf, questions.vector())


def _of_one(name: str, conf: Conf, asked: questions.Question) -> Question:
    read = asked.cells.read
    return Question(name=name, spec=_of(conf, asked), read=lambda text: read(text)[0])


def _of(conf: Conf, asked: questions.Question) -> Spec:
    if asked.embeds:
        return of_question(asked, Spec(template=_TEXT, model=conf.embedding_deployment_name))
    return of_question(asked, _spec(conf))


def _spec(conf: Conf, system: str | None = None, schema: AnswerSchema | None = None) -> Spec:
    return Spec(
        template=_TEXT,
        system=system,
        schema=schema,
        model=conf.model_deployment_name,
        options=conf.options(),
        max_output_tokens=conf.max_output_tokens,
    )


def _checked(schema: Mapping[str, Any]) -> AnswerSchema:
    try:
        return AnswerSchema(schema)
    except BadSchema as error:
        raise _refused("response_format", error) from None


def _refused(what: str, error: BadSchema) -> ValueError:
    hint = f": {error.hint}" if error.hint else ""
    return ValueError(f"{what}: {error}{hint}")


def _json_object(text: str) -> str:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Misfit("the answer is no JSON object")
    return text
