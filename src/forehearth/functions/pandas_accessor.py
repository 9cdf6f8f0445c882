"""`.ai` of a pandas Series and of a DataFrame. Loaded where pandas is installed."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd

from forehearth.enrichment.labels import ExtractLabel
from forehearth.functions import columns, stats
from forehearth.functions.asking import Answers
from forehearth.functions.conf import Conf
from forehearth.functions.results import NonResult

ColumnType = Literal["path"] | None


class SeriesAI:
    """The functions of a column of texts. Each gives a Series with the same index."""

    def __init__(self, series: Any) -> None:
        self._series = series

    @property
    def stats(self) -> Any:
        """What the function used that made this column: a DataFrame of one row; of none, where that is not known."""
        return _stats({str(self._series.name): self._series}).reset_index(drop=True)

    def analyze_sentiment(self, *labels: str, conf: Conf | None = None, column_type: ColumnType = None) -> Any:
        """Positive, negative, neutral or mixed, or one of these labels; None where none fits."""
        answers = columns.analyze_sentiment(self._texts(column_type), conf or Conf(), labels)
        return self._column(answers)

    def classify(self, *labels: str, conf: Conf | None = None, column_type: ColumnType = None) -> Any:
        """One of these labels; None where none fits."""
        return self._column(columns.classify(self._texts(column_type), conf or Conf(), labels))

    def embed(self, *, conf: Conf | None = None) -> Any:
        """A vector: an array of 32-bit floats."""
        return self._column(columns.embed(self._texts(None), conf or Conf()))

    def extract(self, *labels: str | ExtractLabel, conf: Conf | None = None, column_type: ColumnType = None) -> Any:
        """A DataFrame with a column for each label."""
        answers, found = columns.extract(self._texts(column_type), conf or Conf(), labels)
        frame = pd.DataFrame({name: _series(cells, self._series.index) for name, cells in found.items()})
        stats.remember(answers.call, *(_cells(frame[name]) for name in frame))
        return frame

    def fix_grammar(self, *, conf: Conf | None = None, column_type: ColumnType = None) -> Any:
        """The text without mistakes."""
        return self._column(columns.fix_grammar(self._texts(column_type), conf or Conf()))

    def generate_response(
        self,
        prompt: str,
        *,
        response_format: Any = None,
        conf: Conf | None = None,
        column_type: ColumnType = None,
    ) -> Any:
        """What the prompt asks of the text. With a `response_format` of JSON it is a text, too."""
        inputs = self._texts(column_type)
        return self._column(columns.respond(inputs, conf or Conf(), prompt, response_format, whole_rows=False))

    def infer_schema(
        self, prompt: str | None = None, n_samples: int = 3, *, column_type: ColumnType = None, conf: Conf | None = None
    ) -> Any:
        """Labels for `extract` that fit the texts. Not yet: raises `NotImplementedError`."""
        raise NotImplementedError("infer_schema is not there yet: name the labels in extract")

    def similarity(self, other: Any, *, conf: Conf | None = None) -> Any:
        """From -1 to 1, how alike the text is to another one: to a text, or to that of a Series in the same place."""
        others = other if isinstance(other, str) else columns.texts(_cells(pd.Series(other)))
        answers = columns.similarity(self._texts(None), others, conf or Conf())
        return self._column(answers, dtype=None if answers.failures else "float64")

    def summarize(
        self, instructions: str | None = None, *, conf: Conf | None = None, column_type: ColumnType = None
    ) -> Any:
        """A summary."""
        inputs = self._texts(column_type)
        return self._column(columns.summarize(inputs, conf or Conf(), instructions, whole_rows=False))

    def translate(self, to_lang: str, *, conf: Conf | None = None, column_type: ColumnType = None) -> Any:
        """The text in another language."""
        return self._column(columns.translate(self._texts(column_type), conf or Conf(), to_lang))

    def _texts(self, column_type: ColumnType) -> list[Any]:
        _check(column_type)
        return columns.texts(_cells(self._series))

    def _column(self, answers: Answers, dtype: str | None = None) -> Any:
        series = _series(answers.cells, self._series.index, self._series.name, dtype)
        stats.remember(answers.call, _cells(series))
        return series


class FrameAI:
    """The functions of whole rows. Each gives a Series with the frame's index."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    @property
    def stats(self) -> Any:
        """What the functions used that made columns of this frame: a DataFrame with a row for each call.

        Its index has the names of the columns.
        """
        return _stats(_named(self._frame))

    def generate_response(
        self,
        prompt: str,
        is_prompt_template: bool = False,
        *,
        response_format: Any = None,
        conf: Conf | None = None,
        column_type_dict: Mapping[str, ColumnType] | None = None,
    ) -> Any:
        """What the prompt asks of each row.

        With `is_prompt_template`, `{column}` in the prompt stands for the row's value there, and nothing else of the
        row is shown to the model.
        """
        _check(*(column_type_dict or {}).values())
        table, chosen = self._columns(), conf or Conf()
        if is_prompt_template:
            answers = columns.respond_to(table, chosen, prompt, response_format)
        else:
            answers = columns.respond(columns.rows(table), chosen, prompt, response_format, whole_rows=True)
        return self._column(answers)

    def summarize(
        self,
        instructions: str | None = None,
        *,
        conf: Conf | None = None,
        column_type_dict: Mapping[str, ColumnType] | None = None,
    ) -> Any:
        """A summary of each row."""
        _check(*(column_type_dict or {}).values())
        inputs = columns.rows(self._columns())
        return self._column(columns.summarize(inputs, conf or Conf(), instructions, whole_rows=True))

    def _columns(self) -> dict[str, list[Any]]:
        return {name: _cells(series) for name, series in _named(self._frame).items()}

    def _column(self, answers: Answers) -> Any:
        series = _series(answers.cells, self._frame.index)
        stats.remember(answers.call, _cells(series))
        return series


def register() -> None:
    """Hang the functions on the classes of pandas."""
    pd.api.extensions.register_series_accessor("ai")(SeriesAI)
    pd.api.extensions.register_dataframe_accessor("ai")(FrameAI)


def split(column: Any) -> tuple[Any, Any]:
    """The rows that have answers, and the others."""
    if isinstance(column, pd.DataFrame):
        failed = column.apply(lambda row: any(isinstance(each, NonResult) for each in row), axis=1)
    else:
        failed = column.map(lambda each: isinstance(each, NonResult))
    failed = failed.astype(bool)
    return column[~failed], column[failed]


def _check(*kinds: ColumnType) -> None:
    if "path" in kinds:
        raise NotImplementedError(
            "files as input (column_type='path') are not there yet: read their text into a column"
        )


def _named(frame: Any) -> dict[str, Any]:
    """The columns by their names as texts. Of several with one name it is the last."""
    return {str(name): frame.iloc[:, at] for at, name in enumerate(frame.columns)}


def _series(cells: Any, index: Any, name: Any = None, dtype: str | None = None) -> Any:
    """A Series of objects, unless another type is named: pandas would make some of them arrays of its own."""
    values = np.empty(len(cells), dtype=object)
    for at, each in enumerate(cells):
        values[at] = each
    series = pd.Series(values, index=index, name=name, dtype=object)
    return series if dtype is None else series.astype(dtype)


def _cells(series: Any) -> list[Any]:
    """The values of a Series, None where there is none."""
    return [None if absent else each for each, absent in zip(series.tolist(), series.isna(), strict=True)]


def _stats(found: Mapping[str, Any]) -> Any:
    names, members = stats.table({name: _cells(series) for name, series in found.items()})
    return pd.DataFrame(members, columns=list(stats.COLUMNS), index=pd.Index(names, dtype=object))
