"""`kill -9` of workers at any moment, as in `tests/integration/jobs/test_deaths.py`, a hundred times for each store."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.jobs.killing import killed, require_sound
from tests.integration.jobs.mortal import figures
from tests.integration.stores.conftest import database, place  # noqa: F401 - fixtures that the tests ask for
from tests.soak.length import part

KILLS = 100


@pytest.mark.parametrize("seed", [11, 12])
async def test_after_a_hundred_deaths_every_step_is_recorded_once(
    place: str,  # noqa: F811 - the fixture
    seed: int,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
):
    kills = part(KILLS, least=10)
    found = await killed(place, tmp_path, kills, seed)
    for name, value in figures(found):
        record_property(name, value)
        print(f"{name}: {value}")  # noqa: T201 - the figures are what the test is for
    require_sound(found, kills=kills)
