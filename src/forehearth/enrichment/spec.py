"""What is asked of each row, and how the answer becomes columns: a job without its tables."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from forehearth.accounting.tokens import output_member
from forehearth.core.enrichment_settings import Job, MetadataColumn
from forehearth.core.settings import ProviderSettings
from forehearth.enrichment import questions
from forehearth.enrichment.answer_schema import AnswerSchema
from forehearth.enrichment.cells import Cells, members, whole
from forehearth.enrichment.questions import Question
from forehearth.enrichment.template import Template

ANSWER: Final = "answer"
"""The column of an answer that is a text, unless it is called otherwise."""
_NOT_OF_ANSWERS: Final = frozenset({"api_key", "credential", "connection", "responses"})
_SIZE: Final = 16
"""Bytes of a digest that tells prompts or jobs apart."""


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """One question. `schema` checks the answer; without one the answer is a text in the column `output`."""

    template: Template
    system: str | None = None
    schema: AnswerSchema | None = None
    output: str = ANSWER
    filled: Cells | None = None
    """What an answer becomes, where that is neither the members of the schema nor one text."""
    embeds: bool = False
    """Whether it is vectors that are asked for: then nothing is sent but the text, the model and the options."""
    place: str = "prompt"
    """Where the job says which columns are shown to the model."""
    model: str
    """The model's name, as the host has it."""
    options: Mapping[str, Any] = {}
    """Further members of the request, such as `temperature`."""
    max_output_tokens: int = 4_096
    columns: tuple[MetadataColumn, ...] = ()
    host: str = ""
    """What tells the host from others that may answer otherwise."""

    @property
    def answers(self) -> Mapping[str, Any]:
        """The columns that an answer fills, with their Arrow types."""
        return self.cells.columns

    @property
    def cells(self) -> Cells:
        """What an answer becomes."""
        if self.filled is not None:
            return self.filled
        return members(self.schema) if self.schema is not None else whole(self.output)

    @property
    def longest(self) -> int:
        """The most tokens that an answer can have."""
        return 0 if self.embeds else self.max_output_tokens

    def request(self) -> dict[str, Any]:
        """Everything that is sent besides the messages, or the text to embed."""
        if self.embeds:
            return {"model": self.model, "encoding_format": "base64", **self.options}
        bound = {output_member(self.model): self.max_output_tokens}
        sent: dict[str, Any] = {"model": self.model, **self.options, **bound}
        if self.schema is not None:
            form = {"name": "answer", "schema": self.schema.sent, "strict": self.schema.is_strict}
            sent["response_format"] = {"type": "json_schema", "json_schema": form}
        return sent

    def asked(self) -> bytes:
        """What decides an answer besides the prompt: two questions that are alike in it may share their answers."""
        return digest(self.system, self.request(), self.host)


def of_job(job: Job) -> Spec:
    """The question of a job file. Raises `BadTemplate` and `BadSchema`."""
    deployment = job.deployment
    options = {
        "temperature": deployment.temperature,
        "seed": deployment.seed,
        "reasoning_effort": deployment.reasoning_effort,
    }
    spec = Spec(
        template=template_of(job),
        system=job.system,
        schema=None if job.schema is None else AnswerSchema(job.schema),
        output=job.output or ANSWER,
        model=deployment.name,
        options={name: value for name, value in options.items() if value is not None},
        max_output_tokens=deployment.max_output_tokens,
        columns=job.columns,
        host="" if deployment.backend is None else _told_apart(deployment.backend),
    )
    if job.function is None:
        return spec
    asked, place = questions.of_function(job.function), "function.column"
    filled = asked.cells if job.output is None else asked.cells.named(job.output)
    return msgspec.structs.replace(of_question(asked, spec), filled=filled, place=place)


def template_of(job: Job) -> Template:
    """What of a row is shown to the model. Raises `BadTemplate`."""
    return Template(job.prompt or "") if job.function is None else Template.of_column(job.function.column)


def of_question(asked: Question, spec: Spec) -> Spec:
    """A spec with the question of an AI function."""
    return msgspec.structs.replace(
        spec, system=asked.system, schema=asked.schema, filled=asked.cells, embeds=asked.embeds
    )


def _told_apart(backend: ProviderSettings) -> str:
    """A digest of what a host's settings say of its answers: not how it is dialled, nor who we are to it."""
    names = [each.name for each in msgspec.structs.fields(backend) if each.name not in _NOT_OF_ANSWERS]
    return digest(type(backend).__name__, {name: getattr(backend, name) for name in names}).hex()


def digest(*parts: object) -> bytes:
    """What tells values from others."""
    return hashlib.blake2b(msgspec.json.encode(parts), digest_size=_SIZE).digest()


def prompt_hash(asked: bytes, prompt: str) -> bytes:
    """What tells one prompt of a question from another."""
    return hashlib.blake2b(prompt.encode("utf-8", "surrogatepass"), key=asked, digest_size=_SIZE).digest()
