"""The libraries of tables, or in one line what to do about their absence: they are an extra."""

from forehearth.core.errors import Misconfigured

try:
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv, json, parquet
except ImportError as error:
    raise Misconfigured(
        f"enrichment needs pyarrow, which cannot be loaded ({error}): pip install 'forehearth[enrich]'"
    ) from error

__all__ = ["csv", "json", "pa", "parquet", "pc"]
