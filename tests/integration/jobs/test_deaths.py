"""`kill -9` of workers at any moment, over three processes: every step of every job is recorded once.

`tests/soak/test_jobs.py` has more of them.
"""

from pathlib import Path

from tests.integration.jobs.killing import killed, require_sound
from tests.integration.jobs.mortal import figures

KILLS = 12


async def test_after_many_deaths_every_step_is_recorded_once(place: str, tmp_path: Path, tell):
    found = await killed(place, tmp_path, KILLS)
    tell(**dict(figures(found)))
    require_sound(found, kills=KILLS)
