"""From rows to prompts, and from answers to columns."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from forehearth.core.enrichment_settings import MetadataColumn
from forehearth.core.errors import Misconfigured
from forehearth.enrichment.answers import Answer
from forehearth.enrichment.arrow import pa, pc
from forehearth.enrichment.messages import MALFORMED
from forehearth.enrichment.spec import Spec

ERROR: Final = "_error"
"""The column that says why a row has no answer."""

_TYPES: Final[Mapping[MetadataColumn, Any]] = {
    "model": pa.string(),
    "usage": pa.struct(
        [
            pa.field("prompt_tokens", pa.int64()),
            pa.field("completion_tokens", pa.int64()),
            pa.field("cached_tokens", pa.int64()),
            pa.field("reasoning_tokens", pa.int64()),
        ]
    ),
    "prompt_hash": pa.string(),
    "spec": pa.string(),
    "source_version": pa.string(),
    "run_id": pa.string(),
    "time": pa.timestamp("us", tz="UTC"),
}
_AS_JSON: Final = (
    pa.types.is_nested,
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_fixed_size_binary,
    pa.types.is_interval,
)
"""Values that are shown to the model as JSON, as they have no text of their own."""
_ERROR_TYPE: Final = pa.struct([pa.field("code", pa.string()), pa.field("message", pa.string())])


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """What is the same for all rows of a run."""

    spec: str = ""
    source_version: str = ""
    run_id: str = ""


def added(spec: Spec) -> Any:
    """The columns that are added to a table's own, `_error` the last of them."""
    metadata = [pa.field(f"_{name}", _TYPES[name]) for name in spec.columns]
    return pa.schema([*(pa.field(*each) for each in spec.answers.items()), *metadata, pa.field(ERROR, _ERROR_TYPE)])


def check(spec: Spec, schema: Any, key: Sequence[str] = ()) -> None:
    """See that a table has the columns that are named, and none that would be written over. Raises `Misconfigured`."""
    has = ", ".join(schema.names)
    for name in (*spec.template.columns, *key):
        if name not in schema.names:
            what = spec.place if name in spec.template.columns else "key"
            raise Misconfigured(f"{what}: the source has no column '{name}'; it has {has}")
    twice = [name for name in added(spec).names if name in schema.names]
    if twice:
        raise Misconfigured(
            f"the source has a column '{twice[0]}' already: name the answer's otherwise, in 'schema', 'output' or "
            "'labels', or leave it out in 'columns'"
        )


def prompts(spec: Spec, batch: Any) -> list[str | None]:
    """The prompt of each row; None where one of its values is missing."""
    return spec.template.render({name: _texts(batch.column(name)) for name in spec.template.columns}, batch.num_rows)


def enriched(
    spec: Spec, batch: Any, hashes: Sequence[bytes | None], answers: Mapping[bytes, Answer], label: Label
) -> Any:
    """The rows with their answers beside them."""
    found = [answers[each] if each is not None else None for each in hashes]
    arrays = [*batch.columns, *_answer_columns(spec, found)]
    arrays += [_metadata(name, hashes, found, label) for name in spec.columns]
    arrays.append(pa.array([_error(each) for each in found], type=_ERROR_TYPE))
    fields = [*batch.schema, *added(spec)]
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def marked(rows: Any, malformed: Mapping[int, str]) -> Any:
    """The same rows, with an error in those that could not be read."""
    if not malformed:
        return rows
    errors = rows.column(ERROR).to_pylist()
    for at, message in malformed.items():
        errors[at] = {"code": MALFORMED, "message": message}
    arrays = [*rows.columns[:-1], pa.array(errors, type=_ERROR_TYPE)]
    return pa.RecordBatch.from_arrays(arrays, schema=rows.schema)


def _texts(column: Any) -> list[str | None]:
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return list(column.to_pylist())
    if any(is_one(kind) for is_one in _AS_JSON):
        return [
            None if each is None else json.dumps(each, ensure_ascii=False, default=str) for each in column.to_pylist()
        ]
    return list(pc.cast(column, pa.string()).to_pylist())


def _answer_columns(spec: Spec, answers: Sequence[Answer | None]) -> list[Any]:
    cells = spec.cells
    nothing = (None,) * len(cells.columns)
    rows = [nothing if each is None or each.text is None else cells.read(each.text) for each in answers]
    found = zip(*rows, strict=True) if rows else [()] * len(nothing)
    return [pa.array(values, type=kind) for values, kind in zip(found, cells.columns.values(), strict=True)]


def _metadata(
    name: MetadataColumn, hashes: Sequence[bytes | None], answers: Sequence[Answer | None], label: Label
) -> Any:
    kind = _TYPES[name]
    if name in ("spec", "source_version", "run_id"):
        return pa.array([getattr(label, name)] * len(answers), type=kind)
    if name == "prompt_hash":
        return pa.array([None if each is None else each.hex() for each in hashes], type=kind)
    return pa.array([None if each is None else _OF_ANSWER[name](each) for each in answers], type=kind)


def _usage(answer: Answer) -> Mapping[str, int] | None:
    used = answer.usage
    if used is None:
        return None
    return {
        "prompt_tokens": used.prompt,
        "completion_tokens": used.completion,
        "cached_tokens": used.cached,
        "reasoning_tokens": used.reasoning,
    }


_OF_ANSWER: Final[Mapping[MetadataColumn, Any]] = {
    "model": lambda answer: answer.model or None,
    "usage": _usage,
    "time": lambda answer: datetime.fromtimestamp(answer.unix, UTC) if answer.unix else None,
}


def _error(answer: Answer | None) -> Mapping[str, str] | None:
    if answer is None or answer.error is None:
        return None
    return {"code": answer.error.code, "message": answer.error.message}
