"""`.ai` of a Polars Series and of a DataFrame. Loaded where Polars is installed.

A column of Polars has one type, so a row without an answer is null there, and `errors` says why.
"""

from typing import Any

import polars as pl

from forehearth.enrichment.arrow import pa
from forehearth.enrichment.labels import ExtractLabel
from forehearth.functions import columns, stats
from forehearth.functions.asking import Answers
from forehearth.functions.conf import Conf
from forehearth.functions.results import NonResult

_ERRORS = pl.Struct({"result": pl.String(), "code": pl.String(), "message": pl.String()})
_VECTOR = pl.List(pl.Float32())


class SeriesAI:
    """The functions of a column of texts. Each gives a Series of the same name."""

    def __init__(self, series: pl.Series) -> None:
        self._series = series

    @property
    def stats(self) -> pl.DataFrame:
        """What the function used that made this column: a DataFrame of one row; of none, where that is not known."""
        return _stats({self._series.name: self._series})

    @property
    def errors(self) -> pl.Series:
        """Why a row of this column has no answer, null where it has; all null where no function made the column."""
        call = stats.call_of(self._series.to_list())
        failures = call.failures if call is not None else {}
        told = [_told(failures.get(at)) for at in range(len(self._series))]
        return pl.Series(self._series.name, told, dtype=_ERRORS)

    def analyze_sentiment(self, *labels: str, conf: Conf | None = None) -> pl.Series:
        """Positive, negative, neutral or mixed, or one of these labels; null where none fits."""
        return self._column(columns.analyze_sentiment(self._texts(), conf or Conf(), labels))

    def classify(self, *labels: str, conf: Conf | None = None) -> pl.Series:
        """One of these labels; null where none fits."""
        return self._column(columns.classify(self._texts(), conf or Conf(), labels))

    def embed(self, *, conf: Conf | None = None) -> pl.Series:
        """A vector: a list of 32-bit floats."""
        return self._column(columns.embed(self._texts(), conf or Conf()), _VECTOR)

    def extract(self, *labels: str | ExtractLabel, conf: Conf | None = None) -> pl.DataFrame:
        """A DataFrame with a column for each label."""
        chosen = conf or Conf()
        types = columns.arrow_types(labels, chosen)
        answers, found = columns.extract(self._texts(), chosen, labels)
        arrays = {name: pa.array(_without(cells), type=types[name]) for name, cells in found.items()}
        frame = pl.DataFrame(pa.table(arrays))
        stats.remember(answers.call, *(each.to_list() for each in frame))
        return frame

    def fix_grammar(self, *, conf: Conf | None = None) -> pl.Series:
        """The text without mistakes."""
        return self._column(columns.fix_grammar(self._texts(), conf or Conf()))

    def generate_response(self, prompt: str, *, response_format: Any = None, conf: Conf | None = None) -> pl.Series:
        """What the prompt asks of the text. With a `response_format` of JSON it is a text, too."""
        return self._column(columns.respond(self._texts(), conf or Conf(), prompt, response_format, whole_rows=False))

    def similarity(self, other: str | pl.Series, *, conf: Conf | None = None) -> pl.Series:
        """From -1 to 1, how alike the text is to another one: to a text, or to that of a Series in the same place."""
        others = other if isinstance(other, str) else columns.texts(other.to_list())
        return self._column(columns.similarity(self._texts(), others, conf or Conf()), pl.Float64())

    def summarize(self, instructions: str | None = None, *, conf: Conf | None = None) -> pl.Series:
        """A summary."""
        return self._column(columns.summarize(self._texts(), conf or Conf(), instructions, whole_rows=False))

    def translate(self, to_lang: str, *, conf: Conf | None = None) -> pl.Series:
        """The text in another language."""
        return self._column(columns.translate(self._texts(), conf or Conf(), to_lang))

    def _texts(self) -> list[Any]:
        return columns.texts(self._series.to_list())

    def _column(self, answers: Answers, dtype: pl.DataType | None = None) -> pl.Series:
        return _series(self._series.name, answers, dtype or pl.String())


class FrameAI:
    """The functions of whole rows."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    @property
    def stats(self) -> pl.DataFrame:
        """What the functions used that made columns of this frame: a DataFrame with a row for each call."""
        return _stats({each.name: each for each in self._frame})

    def generate_response(
        self,
        prompt: str,
        is_prompt_template: bool = False,
        *,
        response_format: Any = None,
        conf: Conf | None = None,
    ) -> pl.Series:
        """What the prompt asks of each row.

        With `is_prompt_template`, `{column}` in the prompt stands for the row's value there, and nothing else of the
        row is shown to the model.
        """
        table, chosen = self._columns(), conf or Conf()
        if is_prompt_template:
            answers = columns.respond_to(table, chosen, prompt, response_format)
        else:
            answers = columns.respond(columns.rows(table), chosen, prompt, response_format, whole_rows=True)
        return _series("response", answers, pl.String())

    def summarize(self, instructions: str | None = None, *, conf: Conf | None = None) -> pl.Series:
        """A summary of each row."""
        inputs = columns.rows(self._columns())
        answers = columns.summarize(inputs, conf or Conf(), instructions, whole_rows=True)
        return _series("summary", answers, pl.String())

    def _columns(self) -> dict[str, list[Any]]:
        return {each.name: each.to_list() for each in self._frame}


def register() -> None:
    """Hang the functions on the classes of Polars."""
    pl.api.register_series_namespace("ai")(SeriesAI)
    pl.api.register_dataframe_namespace("ai")(FrameAI)


def split(column: Any) -> tuple[Any, Any]:
    """The rows that have answers, and the others."""
    known = column.to_series(0) if isinstance(column, pl.DataFrame) else column
    call = stats.call_of(known.to_list())
    failed = pl.Series([call is not None and at in call.failures for at in range(len(known))], dtype=pl.Boolean)
    return column.filter(~failed), column.filter(failed)


def _series(name: str, answers: Answers, dtype: pl.DataType) -> pl.Series:
    cells = [each.tolist() if hasattr(each, "tolist") else each for each in _without(answers.cells)]
    series = pl.Series(name, cells, dtype=dtype)
    stats.remember(answers.call, series.to_list())
    return series


def _without(cells: Any) -> list[Any]:
    return [None if isinstance(each, NonResult) else each for each in cells]


def _told(failure: NonResult | None) -> dict[str, str] | None:
    if failure is None:
        return None
    return {"result": type(failure).__name__, "code": failure.code, "message": failure.message}


def _stats(found: dict[str, pl.Series]) -> pl.DataFrame:
    _, members = stats.table({name: series.to_list() for name, series in found.items()})
    types = {
        name: pl.Int64() if name.startswith("num_") or name.endswith("_tokens") else pl.String() for name in members
    }
    return pl.DataFrame(members, schema=types)
