"""A Delta table at one version."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from forehearth.core.enrichment_settings import DeltaSource
from forehearth.core.errors import Misconfigured
from forehearth.enrichment.arrow import pa
from forehearth.enrichment.delta_library import deltalake, exceptions, said
from forehearth.enrichment.delta_rows import batches
from forehearth.enrichment.places import is_url, options, place
from forehearth.enrichment.source import Source


def open_delta(settings: DeltaSource, folder: Path) -> Source:
    """Its rows. Raises `Misconfigured` where there is no such table or version."""
    where = place(settings.path, folder)
    if not is_url(where) and not Path(where).exists():
        raise Misconfigured(
            f"source: there is no Delta table at {where}; a relative path begins at the folder of the job file"
        )
    try:
        table = deltalake.DeltaTable(where, version=settings.version, storage_options=options(settings))
    except (exceptions.DeltaError, OSError, ValueError) as error:
        words = said(error)
        raise Misconfigured(f"source: there is no Delta table that can be read at {settings.path}: {words}") from error
    schema = pa.schema(table.schema().to_arrow())

    def read() -> Iterator[Any]:
        # In an order of their own, so that a run that goes on finds each row in the chunk where it was.
        try:
            for batch in batches(table):
                yield batch.cast(schema) if batch.schema != schema else batch
        except (exceptions.DeltaError, pa.ArrowException, OSError) as error:
            words = said(error)
            raise Misconfigured(f"source: the Delta table {settings.path} cannot be read: {words}") from error

    version = f"delta:{table.metadata().id}@{table.version()}"
    return Source(schema=schema, version=version, read=read, rows=table.count())
