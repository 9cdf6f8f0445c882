"""AI functions over the columns of pandas and Polars, by the names that Microsoft Fabric has for them.

import forehearth.functions as aifunc

df["summary"] = df["text"].ai.summarize()
df["topic"] = df["text"].ai.classify("billing", "technical", "other")

Importing this puts `.ai` on the Series and DataFrames of whichever of the two is installed.
"""

import importlib
import importlib.util
from typing import Any, Final

from forehearth.core.errors import Misconfigured
from forehearth.enrichment.labels import ExtractLabel
from forehearth.functions.asking import RowsFailed
from forehearth.functions.conf import NOT_GIVEN, Conf, default_conf, session, setup
from forehearth.functions.endpoints import endpoint
from forehearth.functions.results import (
    CapacityExceededResult,
    ExceptionResult,
    FilterResult,
    NonResult,
    NotEvaluatedResult,
)

__all__ = [
    "NOT_GIVEN",
    "CapacityExceededResult",
    "Conf",
    "ExceptionResult",
    "ExtractLabel",
    "FilterResult",
    "NonResult",
    "NotEvaluatedResult",
    "RowsFailed",
    "default_conf",
    "endpoint",
    "list_file_paths",
    "load",
    "session",
    "setup",
    "split_results",
]

_ACCESSORS: Final = {
    library: importlib.import_module(f"forehearth.functions.{library}_accessor")
    for library in ("pandas", "polars")
    if importlib.util.find_spec(library) is not None
}
if not _ACCESSORS:
    raise Misconfigured(
        "AI functions need pandas or Polars, and neither is installed: "
        "pip install 'forehearth[pandas]' or 'forehearth[polars]'"
    )
for _each in _ACCESSORS.values():
    _each.register()


def split_results(column: Any) -> tuple[Any, Any]:
    """What a function gave, apart: the rows that have answers, and those that have a `NonResult`.

    `column` is a Series, or the DataFrame of `extract`.
    """
    library = type(column).__module__.partition(".")[0]
    if library not in _ACCESSORS:
        raise TypeError(f"a {type(column).__name__} is no column of pandas or Polars")
    good, failed = _ACCESSORS[library].split(column)
    return good, failed


def load(*_: Any, **__: Any) -> Any:
    """A table from the files of a folder. Not yet: raises `NotImplementedError`."""
    raise NotImplementedError("files as input are not there yet: read their text into a column")


def list_file_paths(*_: Any, **__: Any) -> Any:
    """The files of a folder. Not yet: raises `NotImplementedError`."""
    raise NotImplementedError("files as input are not there yet: read their text into a column")
