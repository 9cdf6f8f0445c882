"""The server's own sweep of bytes: after whom it looks, when, and that nothing ends it."""

import asyncio
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from forehearth.core.document import StoreFailed
from forehearth.core.errors import Misconfigured
from forehearth.core.place import Place
from forehearth.core.settings import ProjectSettings, ResourceSettings, Settings
from forehearth.server.blobs import opened_blobs, places
from forehearth.stores.memory import MemoryDocuments
from forehearth.testing.clock import VirtualClock

SETTINGS = Settings(
    version=1,
    projects={"sales": ProjectSettings()},
    resources={"contoso": ResourceSettings(projects={"default": ProjectSettings()})},
)


class Rounds:
    """Sleeps that the test ends, one by one."""

    def __init__(self) -> None:
        self.slept: asyncio.Queue[float] = asyncio.Queue()
        self._again = asyncio.Semaphore(0)

    async def sleep(self, seconds: float) -> None:
        self.slept.put_nowait(seconds)
        await self._again.acquire()

    async def another(self) -> None:
        self._again.release()
        assert await self.slept.get() == 300


def context(folder: Path, index: int = 0) -> Any:
    return SimpleNamespace(data=SimpleNamespace(blobs=folder), settings=SETTINGS, index=index)


def test_every_place_of_the_configuration_may_have_files() -> None:
    default = SETTINGS.server.resource
    assert sorted(places(SETTINGS), key=str) == sorted(
        [
            *(Place(resource=default, project=project) for project in ("", "default", "sales")),
            *(Place(resource="contoso", project=project) for project in ("", "default")),
        ],
        key=str,
    )


async def test_the_first_worker_sweeps_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    documents, rounds = MemoryDocuments(), Rounds()
    stores: Any = SimpleNamespace(documents=documents)
    caplog.set_level(logging.INFO)
    folder = tmp_path / "blobs"
    async with opened_blobs(context(folder), stores, VirtualClock(unix=4e9), rounds.sleep) as blobs:
        await rounds.slept.get()
        draft = await blobs.draft()
        await draft.keep(f"{'0' * 32}.file-1")  # of a place that is not served
        await draft.discard()
        (folder / "drafts" / "dead").write_bytes(b"x")
        await rounds.another()
        assert not (folder / "drafts" / "dead").exists()
        assert "were removed: 1" in caplog.text

        async def away(*_: object) -> None:
            raise StoreFailed("the store is away")

        monkeypatch.setattr(type(blobs), "sweep", away)
        await rounds.another()
        assert "could not be removed: the store is away" in caplog.text
        monkeypatch.undo()
        await rounds.another()
    assert len(list(folder.rglob("*.file-1"))) == 1


async def test_other_workers_do_not(tmp_path: Path) -> None:
    rounds = Rounds()
    stores: Any = SimpleNamespace(documents=MemoryDocuments())
    async with opened_blobs(context(tmp_path / "blobs", 1), stores, VirtualClock(), rounds.sleep):
        await asyncio.sleep(0.01)
    assert rounds.slept.empty()


async def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_bytes(b"a file")
    with pytest.raises(Misconfigured, match="cannot be kept in"):
        async with opened_blobs(context(tmp_path / "blobs"), SimpleNamespace(documents=None), VirtualClock()):  # type: ignore[arg-type] # never asked
            pass
