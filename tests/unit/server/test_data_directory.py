import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from forehearth.core.errors import Misconfigured
from forehearth.server.data_directory import (
    SCHEMA,
    default_path,
    locked,
    on_its_disk,
    open_data_directory,
    write_private,
)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"XDG_DATA_HOME": "/x", "HOME": "/home/a"}, "/x/forehearth"),
        ({"HOME": "/home/a"}, "/home/a/.local/share/forehearth"),
        ({"XDG_DATA_HOME": "", "HOME": "/home/a"}, "/home/a/.local/share/forehearth"),
        ({"XDG_DATA_HOME": "relative", "HOME": "/home/a"}, "/home/a/.local/share/forehearth"),
    ],
)
def test_the_default_follows_the_xdg_rules(environ: dict[str, str], expected: str):
    assert default_path(environ) == Path(expected)


@pytest.mark.parametrize("environ", [{}, {"HOME": ""}, {"HOME": "relative"}])
def test_without_a_home_the_remedy_is_named(environ: dict[str, str]):
    with pytest.raises(Misconfigured, match="--data-dir"):
        default_path(environ)


def test_it_is_made_private_with_its_parents(tmp_path: Path):
    data = open_data_directory(tmp_path / "a" / "b")
    assert [mode(folder) for folder in (data.path, data.keys, data.tls, data.run)] == [0o700] * 4
    assert (data.path / "version").read_text() == f"{SCHEMA}\n"


def test_opening_it_again_changes_nothing(tmp_path: Path):
    first = open_data_directory(tmp_path / "data")
    (first.keys / "development").write_text("kept")
    assert open_data_directory(tmp_path / "data") == first
    assert (first.keys / "development").read_text() == "kept"


def test_an_empty_folder_is_adopted_and_made_private(tmp_path: Path):
    (tmp_path / "data").mkdir(mode=0o755)
    assert mode(open_data_directory(tmp_path / "data").path) == 0o700


def test_private_folders_that_were_opened_up_are_closed_again(tmp_path: Path):
    data = open_data_directory(tmp_path / "data")
    data.keys.chmod(0o755)
    open_data_directory(tmp_path / "data")
    assert mode(data.keys) == 0o700


def test_somebody_elses_folder_is_left_alone(tmp_path: Path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(Misconfigured, match="not empty and not a data directory"):
        open_data_directory(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize(("written", "said"), [(f"{SCHEMA + 1}", "newer Forehearth"), ("soup", "schema version")])
def test_a_schema_that_is_not_ours_is_refused(tmp_path: Path, written: str, said: str):
    data = open_data_directory(tmp_path / "data")
    (data.path / "version").write_text(written)
    with pytest.raises(Misconfigured, match=said):
        open_data_directory(tmp_path / "data")


def test_a_path_that_cannot_be_made_is_said_with_the_remedy(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match=r"cannot be used.*--data-dir"):
        open_data_directory(tmp_path / "file" / "data")


def test_a_second_holder_is_refused_by_the_first_ones_process_id(tmp_path: Path):
    data = open_data_directory(tmp_path / "data")
    with locked(data), pytest.raises(Misconfigured, match=rf"process {os.getpid()}\b.*--data-dir"), locked(data):
        pass
    with locked(data):
        pass


def test_the_lock_ends_with_its_process_however_that_ends(tmp_path: Path):
    data = open_data_directory(tmp_path / "data")
    script = (
        "import pathlib, sys\n"
        "from forehearth.server.data_directory import *\n"
        "with locked(open_data_directory(pathlib.Path(sys.argv[1]))):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", script, data.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with holder:
        assert holder.stdout
        holder.stdout.readline()
        with pytest.raises(Misconfigured, match=rf"process {holder.pid}\b"), locked(data):
            pass
        holder.kill()
        holder.wait()
    with locked(data):
        assert (data.path / "lock").read_text() == f"{os.getpid()}\n"


def test_what_the_last_server_left_in_run_is_gone(tmp_path: Path):
    data = open_data_directory(tmp_path / "data")
    (data.run / "metrics").mkdir()
    (data.run / "metrics" / "0.names").write_text("x")
    (data.run / "status.json").write_text("x")
    (data.run / "link").symlink_to(tmp_path)
    with locked(data):
        assert list(data.run.iterdir()) == []
    assert tmp_path.exists()


def test_private_files_are_whole_private_and_leave_no_drafts(tmp_path: Path):
    write_private(tmp_path / "secret", b"one")
    write_private(tmp_path / "secret", b"two")
    assert (tmp_path / "secret").read_bytes() == b"two"
    assert mode(tmp_path / "secret") == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret"]


def test_a_private_file_that_cannot_be_written_leaves_no_draft(tmp_path: Path):
    (tmp_path / "secret").mkdir()
    with pytest.raises(OSError, match="director"):
        write_private(tmp_path / "secret", b"one")
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret"]


def test_a_full_disk_is_told_with_the_directory_on_it(tmp_path: Path):
    data = open_data_directory(tmp_path)
    told = f"no space is left on the disk of the data directory {tmp_path}"
    with pytest.raises(Misconfigured, match=told), on_its_disk(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(PermissionError), on_its_disk(data):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))
