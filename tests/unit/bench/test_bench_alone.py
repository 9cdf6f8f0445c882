import pytest

from bench.alone import alone
from bench.errors import OccupiedError


def test_a_second_run_is_refused_and_a_later_one_is_not(tmp_path):
    with alone(tmp_path / "work"), pytest.raises(OccupiedError, match="another run"), alone(tmp_path / "work"):
        pass
    with alone(tmp_path / "work"):
        pass
