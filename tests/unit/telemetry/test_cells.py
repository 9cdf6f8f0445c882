import subprocess
import sys
from pathlib import Path

import pytest

from forehearth.telemetry.cells import CAPACITY, CELL_BYTES, Cells, Sample, Series, read_all

LABEL = ("deployment", "a")


def test_a_series_is_one_cell_however_often_it_is_asked_for():
    cells = Cells()
    first = cells.cell("tokens", LABEL)
    assert cells.cell("tokens", LABEL) == first
    assert cells.cell("tokens", ("deployment", "b")) != first
    assert cells.cell("calls", LABEL) != first


def test_numbers_of_all_workers_are_read_at_once_and_without_being_told(tmp_path: Path):
    for worker, amount in (("0", 2.0), ("1", 3.5)):
        cells = Cells(tmp_path, worker)
        cells.values[cells.cell("calls", LABEL)] += amount
    assert sorted(sample.value for sample in read_all(tmp_path)) == [2.0, 3.5]
    assert {sample.series for sample in read_all(tmp_path)} == {Series("calls", (LABEL,))}


def test_who_takes_a_dead_workers_place_goes_on_counting(tmp_path: Path):
    script = (
        "import os, pathlib, sys\n"
        "from forehearth.telemetry.cells import Cells\n"
        "cells = Cells(pathlib.Path(sys.argv[1]), '0')\n"
        "cells.values[cells.cell('calls')] += 5\n"
        "cells.cell('other')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, tmp_path], check=False)
    assert killed.returncode == -9
    successor = Cells(tmp_path, "0")
    successor.values[successor.cell("calls")] += 1
    successor.values[successor.cell("late")] += 7
    assert {sample.series.metric: sample.value for sample in read_all(tmp_path)} == {
        "calls": 6.0,
        "other": 0.0,
        "late": 7.0,
    }


def test_a_name_that_was_half_written_when_the_worker_died_was_never_a_series(tmp_path: Path):
    cells = Cells(tmp_path, "0")
    cells.values[cells.cell("calls")] += 1
    with (tmp_path / "0.names").open("ab") as names:
        names.write(b'["tok')
    assert [sample.series.metric for sample in read_all(tmp_path)] == ["calls"]
    successor = Cells(tmp_path, "0")
    successor.values[successor.cell("tokens")] += 2
    assert read_all(tmp_path) == [Sample(Series("calls"), 1.0), Sample(Series("tokens"), 2.0)]


def test_a_disk_that_takes_no_more_names_costs_series_and_no_call(tmp_path: Path):
    script = (
        "import pathlib, resource, sys\n"
        "from forehearth.telemetry.cells import Cells\n"
        "cells = Cells(pathlib.Path(sys.argv[1]), '0')\n"
        "cells.values[cells.cell('first')] += 1\n"
        "size = (pathlib.Path(sys.argv[1]) / '0.names').stat().st_size\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (size + 5, resource.RLIM_INFINITY))\n"
        "cells.values[cells.cell('second')] += 1\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "cells.values[cells.cell('third')] += 1\n"
        "cells.values[cells.cell('first')] += 1\n"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path], check=True)
    assert read_all(tmp_path) == [Sample(Series("first"), 2.0), Sample(Series("third"), 1.0)]


def test_a_worker_that_is_just_making_its_files_is_passed_over(tmp_path: Path):
    (tmp_path / "3.names").write_bytes(b'["calls",[]]\n')
    assert read_all(tmp_path) == []


def test_a_count_without_end_is_bounded_and_names_no_more_series():
    cells = Cells()
    cells.cell("first")
    for number in range(CAPACITY + 5):
        index = cells.cell("calls", ("label", str(number)))
        cells.values[index] += 1
    assert index == CAPACITY - 1
    assert cells.cell("first") == 0
    assert len(list(cells.samples())) == CAPACITY - 1


def test_the_files_are_for_their_owner_alone(tmp_path: Path):
    Cells(tmp_path / "metrics", "0").close()
    assert (tmp_path / "metrics").stat().st_mode & 0o777 == 0o700
    assert {entry.name: entry.stat().st_mode & 0o777 for entry in (tmp_path / "metrics").iterdir()} == {
        "0.names": 0o600,
        "0.values": 0o600,
    }
    assert (tmp_path / "metrics" / "0.values").stat().st_size == CAPACITY * CELL_BYTES


@pytest.mark.parametrize("text", ['quote"', "back\\slash", "new\nline", "ümlaut", ""])
def test_any_label_survives_the_file(tmp_path: Path, text: str):
    cells = Cells(tmp_path, "0")
    cells.values[cells.cell("calls", ("label", text))] += 1
    assert read_all(tmp_path) == [Sample(Series("calls", (("label", text),)), 1.0)]
