from pathlib import Path

import pytest

from forehearth.server.health import Health, status_of
from forehearth.server.status import Status, Weights, read_status, write_status

FETCHING = Status(
    weights={"small": Weights(state="working", step="fetching", done_bytes=5, total_bytes=10)}, engine="waiting"
)


@pytest.mark.parametrize(
    ("status", "complete"),
    [
        (Status(), True),
        (Status(weights={"small": Weights(state="ready")}), True),
        (Status(weights={"small": Weights()}), False),
        (Status(weights={"a": Weights(state="ready"), "b": Weights(state="failed")}), False),
        (Status(engine="waiting"), False),
        (Status(preload="working"), False),
        (FETCHING, False),
    ],
)
def test_the_start_is_over_when_all_of_it_is(status: Status, complete: bool):
    assert status.complete is complete
    readiness = Health(lambda: status, lambda: False).readiness()
    assert readiness.ready is complete
    assert readiness.report["status"] == ("ready" if complete else "starting")


def test_progress_is_told():
    report = Health(lambda: FETCHING, lambda: False).readiness().report
    assert report["weights"]["small"] == {
        "state": "working",
        "step": "fetching",
        "done_bytes": 5,
        "total_bytes": 10,
    }


def test_a_failure_is_told_with_its_reason():
    status = Status(weights={"small": Weights(state="failed")}, reason="no network: run `forehearth models pull small`")
    report = Health(lambda: status, lambda: False).readiness().report
    assert report["status"] == "failed"
    assert report["reason"] == status.reason


def test_who_is_ending_is_not_ready_whatever_else_is_true():
    readiness = Health(Status, lambda: True).readiness()
    assert not readiness.ready
    assert readiness.report == {"status": "stopping"}


def test_silence_is_not_taken_for_readiness(tmp_path: Path):
    readiness = Health(status_of(tmp_path), lambda: False).readiness()
    assert not readiness.ready
    assert readiness.report == {"status": "starting"}


@pytest.mark.parametrize("status", [Status(), FETCHING, Status(engine="failed", reason="x")])
def test_the_status_file_brings_over_what_was_written(tmp_path: Path, status: Status):
    write_status(tmp_path, FETCHING)
    write_status(tmp_path, status)
    assert read_status(tmp_path) == status


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"engine":"flying"}'])
def test_a_broken_status_file_is_silence(tmp_path: Path, content: bytes):
    (tmp_path / "status.json").write_bytes(content)
    assert read_status(tmp_path) is None
