"""The libraries of tables, or in one line what to do about their absence: they are an extra."""

from typing import Any

from forehearth.core.errors import Misconfigured

try:
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv, json, parquet
except ImportError as error:
    raise Misconfigured(
        f"enrichment needs pyarrow, which cannot be loaded ({error}): pip install 'forehearth[enrich]'"
    ) from error

__all__ = ["csv", "json", "pa", "parquet", "pc", "plain"]


def plain(schema: Any) -> Any:
    """A schema with views of text, which engines have among themselves, as text, which everybody reads."""
    return pa.schema([pa.field(each.name, _plain(each.type)) for each in schema])


def _plain(kind: Any) -> Any:
    if pa.types.is_string_view(kind):
        return pa.large_string()
    return pa.large_binary() if pa.types.is_binary_view(kind) else kind
