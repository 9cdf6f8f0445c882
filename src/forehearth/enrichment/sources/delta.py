"""A Delta table at one version."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from forehearth.core.enrichment_settings import DeltaSource
from forehearth.core.errors import Misconfigured
from forehearth.enrichment.arrow import pa
from forehearth.enrichment.delta_library import deltalake, exceptions
from forehearth.enrichment.delta_rows import batches
from forehearth.enrichment.places import options, place
from forehearth.enrichment.source import Source


def open_delta(settings: DeltaSource, folder: Path) -> Source:
    """Its rows. Raises `Misconfigured` where there is no such table or version."""
    where = place(settings.path, folder)
    try:
        table = deltalake.DeltaTable(where, version=settings.version, storage_options=options(settings))
    except (exceptions.DeltaError, OSError, ValueError) as error:
        words = " ".join(str(error).split())[:300]
        raise Misconfigured(f"source: there is no Delta table that can be read at {settings.path}: {words}") from error
    schema = pa.schema(table.schema().to_arrow())

    def read() -> Iterator[Any]:
        # In an order of their own, so that a run that goes on finds each row in the chunk where it was.
        for batch in batches(table):
            yield batch.cast(schema) if batch.schema != schema else batch

    version = f"delta:{table.metadata().id}@{table.version()}"
    return Source(schema=schema, version=version, read=read, rows=table.count())
