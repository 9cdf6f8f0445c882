"""A worker's journal: what is written is there, whatever the disk does, and what is under way goes along."""

import fcntl
import os
import threading
from errno import ENOSPC
from pathlib import Path
from typing import Any

import pytest

from forehearth.accounting import journal as journals
from forehearth.accounting import segments
from forehearth.accounting.journal import Journal, Unwritable, remove, taken_over


class Disk:
    """Writes to the system, until it has taken so many bytes; then there is room for none, or for a part."""

    def __init__(self) -> None:
        self.room: int | None = None

    def write(self, file: int, data: bytes) -> int:
        if self.room is None:
            return os.write(file, data)
        if self.room == 0:
            raise OSError(ENOSPC, "No space left on device")
        part = data[: self.room]
        self.room -= len(part)
        return os.write(file, part)


@pytest.fixture
def opened(tmp_path: Path):
    """Makes journals, and closes them."""
    made: list[Journal] = []

    def make(name: str = "0-1", **others: Any) -> Journal:
        made.append(Journal.create(tmp_path / "journal", name, **others))
        return made[-1]

    yield make
    for each in made:
        each.close()


def payloads(folder: Path) -> list[bytes]:
    """Everything that is written in a journal."""
    return [each for path in journals.segments(folder) for each in segments.read(path, 0, over=True).payloads]


def test_what_is_written_is_there_at_once(opened):
    journal = opened()
    journal.begin("a", b"intent a")
    journal.end(["a"], b"outcome a")
    assert payloads(journal.folder) == [b"intent a", b"outcome a"]
    assert journal.under_way == 0


def test_outcomes_that_were_written_in_part_are_written_again(opened):
    disk = Disk()
    journal = opened(write=disk.write)
    for name in "abc":
        journal.begin(name, b"intent " + name.encode())
    disk.room = len(segments.line(b"outcomes ab")) - 1
    journal.end(["a", "b"], b"outcomes ab")
    journal.end(["c"], b"outcome c")
    assert (journal.owed, journal.under_way) == (3, 3)
    disk.room = None
    journal.begin("d", b"intent d")
    assert (journal.owed, journal.under_way) == (0, 1)
    written = [b"outcomes ab", b"outcomes ab", b"outcome c", b"intent d"]
    assert payloads(journal.folder)[3:] == written


def test_a_new_segment_begins_with_what_is_under_way(opened):
    journal = opened(segment_bytes=200)
    journal.begin("long", b"intent long")
    for number in range(40):
        journal.begin(str(number), b"intent %d" % number)
        journal.end([str(number)], b"outcome %d" % number)
    assert journal.segment > 3
    newest = journals.segments(journal.folder)[-1]
    assert segments.read(newest, 0, over=True).payloads[0] == b"intent long"
    everything = payloads(journal.folder)
    assert [each for each in everything if each.startswith(b"outcome")] == [b"outcome %d" % each for each in range(40)]


def test_more_under_way_than_a_segment_holds_does_not_rotate_for_ever(opened):
    journal = opened(segment_bytes=100)
    for number in range(50):
        journal.begin(str(number), b"intent %d" % number)
    assert journal.segment < 12
    assert set(payloads(journal.folder)) == {b"intent %d" % each for each in range(50)}


def test_a_full_disk_refuses_intents_and_owes_outcomes(opened):
    disk = Disk()
    journal = opened(write=disk.write)
    journal.begin("a", b"intent a")
    disk.room = 0
    with pytest.raises(Unwritable):
        journal.begin("b", b"intent b")
    journal.end(["a"], b"outcome a")
    assert (journal.owed, journal.under_way) == (1, 1)
    with pytest.raises(Unwritable):
        journal.begin("c", b"intent c")
    disk.room = None
    journal.begin("d", b"intent d")
    assert payloads(journal.folder) == [b"intent a", b"outcome a", b"intent d"]
    assert (journal.owed, journal.under_way) == (0, 1)


def test_a_short_write_at_any_byte_spoils_no_other_record(opened):
    for room in range(1, len(segments.line(b"intent b"))):
        disk = Disk()
        journal = opened(f"0-{room}", write=disk.write)
        journal.begin("a", b"intent a")
        disk.room = room
        with pytest.raises(Unwritable):
            journal.begin("b", b"intent b")
        disk.room = room  # the rest of the disk is full again, in the middle of the next one
        journal.end(["a"], b"outcome a")
        assert journal.owed == 1
        disk.room = None
        assert journal.pay()
        whole = [b"intent a", b"outcome a"]
        if room == len(segments.line(b"intent b")) - 1:  # all but the newline, and that came with the next one
            whole.insert(1, b"intent b")
        assert payloads(journal.folder) == whole, room


def test_the_outcomes_that_wait_for_room_are_bounded(opened, monkeypatch, tmp_path):
    monkeypatch.setattr(journals, "MOST_OWED", 3)
    lost: list[int] = []
    disk = Disk()
    journal = Journal.create(tmp_path / "other", "0-1", write=disk.write, lost=lost.append)
    disk.room = 0
    for number in range(5):
        journal.end([str(number)], b"outcome %d" % number)
    assert (journal.owed, lost) == (3, [1, 1])
    disk.room = None
    journal.pay()
    assert payloads(journal.folder) == [b"outcome 2", b"outcome 3", b"outcome 4"]
    journal.close()


def test_where_no_new_segment_can_be_made_it_goes_on_in_the_old_one(opened):
    journal = opened(segment_bytes=50)
    journal.folder.chmod(0o500)
    (journal.folder / "000002").parent.chmod(0o700)
    (journal.folder / "000002").touch()  # the name is taken
    for number in range(20):
        journal.end([str(number)], b"outcome %d" % number)
    assert journal.segment == 1
    (journal.folder / "000002").unlink()
    journal.end(["last"], b"outcome last")
    for number in range(20):
        journal.end([str(number)], b"outcome %d" % number)
    assert journal.segment > 1
    assert len(payloads(journal.folder)) == 41


def test_after_its_end_nothing_is_written_anywhere(opened, tmp_path):
    journal = opened()
    journal.close()
    other = os.open(tmp_path / "other", os.O_CREAT | os.O_WRONLY)
    journal.end(["late"], b"outcome late")
    os.close(other)
    assert (tmp_path / "other").read_bytes() == b""
    assert payloads(journal.folder) == []


def test_the_journal_of_a_live_worker_is_not_taken_over(opened):
    journal = opened()
    root = journal.folder.parent
    with taken_over(root) as folders:
        assert folders == []
    journal.close()
    with taken_over(root) as folders, taken_over(root) as again:
        assert folders == [journal.folder]
        assert again == []
        remove(journal.folder)
    with taken_over(root) as folders:
        assert folders == []


def test_a_journal_that_is_being_made_is_not_taken_over(opened, tmp_path, monkeypatch):
    looked: list[list[Path]] = []
    lock = fcntl.flock

    def look() -> None:
        with taken_over(tmp_path / "journal") as folders:
            looked.append(folders)

    other = threading.Thread(target=look)

    def locked(file: int, how: int) -> None:
        if Path(f"/proc/self/fd/{file}").readlink().name == "lock" and not other.ident:
            other.start()
            other.join(0.2)  # it has to wait until the journal is made; if it did not, it would be done by now
            assert looked == []
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", locked)
    journal = opened()
    other.join()
    assert looked == [[]]
    assert journal.folder.is_dir()


def test_what_is_left_of_a_journal_that_has_no_lock_is_removed(tmp_path):
    (tmp_path / "0-1").mkdir()
    (tmp_path / "0-2").mkdir()
    (tmp_path / "0-2" / "something").touch()
    with taken_over(tmp_path) as folders:
        assert folders == []
    assert [each.name for each in tmp_path.iterdir()] == ["0-2"]


def test_removing_can_be_interrupted_and_done_again(opened, monkeypatch):
    journal = opened(segment_bytes=30)
    for number in range(5):
        journal.end([str(number)], b"outcome %d" % number)
    journal.close()
    removed: list[str] = []
    unlink = Path.unlink

    def unlink_two(path: Path, **others: bool) -> None:
        if len(removed) == 2:
            raise KeyboardInterrupt
        removed.append(path.name)
        unlink(path, **others)

    monkeypatch.setattr(Path, "unlink", unlink_two)
    with pytest.raises(KeyboardInterrupt):
        remove(journal.folder)
    monkeypatch.undo()
    assert removed == ["000001", "000002"]
    with taken_over(journal.folder.parent) as folders:
        assert folders == [journal.folder]
        remove(journal.folder)
    assert not journal.folder.exists()


def test_what_was_written_is_brought_to_the_disk(opened, monkeypatch):
    brought: list[str] = []

    def named(file: int) -> None:
        brought.append(Path(f"/proc/self/fd/{file}").readlink().name)

    journal = opened(segment_bytes=60)
    journal.sync()
    monkeypatch.setattr(os, "fdatasync", named)
    monkeypatch.setattr(os, "fsync", named)
    journal.sync()
    assert brought == []
    for number in range(5):
        journal.end([str(number)], b"outcome %d" % number)
    journal.sync()
    assert brought == ["0-1", "000002", "000001"]
