"""Rows land once in a storage that is not this machine's, too. `make soak` has more, also at OneLake's address."""

from pathlib import Path

from tests.integration.enrichment.killing import at_once, require_once
from tests.integration.enrichment.storages import s3


async def test_two_runs_at_once_land_each_row_once_in_a_bucket(tmp_path: Path) -> None:
    with s3(tmp_path) as sink:
        require_once(await at_once(tmp_path, rows=100, seed=9, sink=sink))
