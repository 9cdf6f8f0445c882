"""A file of 512 MiB, the most that is taken unless configured, up and down again: what the server holds meanwhile."""

from collections.abc import Callable

from tests.conftest import StartForehearth
from tests.integration.files.raw_upload import PIECE, moved
from tests.integration.files.test_files import CONFIG, ROOM

WHOLE = 512 * 1024 * 1024
MEGABYTE = 1024 * 1024


def test_a_file_of_512_mib_passes_through_in_flat_memory(
    start_forehearth: StartForehearth, record_property: Callable[[str, object], None]
) -> None:
    found = moved(start_forehearth(CONFIG), WHOLE // len(PIECE))
    for name, size in (("at rest", found.at_rest), ("up", found.most_up), ("down", found.most_down)):
        record_property(f"MiB in memory, {name}", round(size / MEGABYTE, 1))
        print(f"MiB in memory, {name}: {size / MEGABYTE:.1f}")  # noqa: T201 - the figures are what the test is for
    assert (found.status, found.same) == (200, True)
    assert found.most_up - found.at_rest < ROOM
    assert found.most_down - found.at_rest < ROOM
