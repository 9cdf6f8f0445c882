"""The wheel that a platform gets is found by its tags, and its absence is told."""

from typing import Any

import pytest

from scripts import lock_wheels

X86, ARM = "x86_64", "aarch64"


def package(*files: str, **members: Any) -> dict[str, Any]:
    wheels = [{"url": f"https://example.com/{file}", "hashes": {"sha256": file.encode().hex()}} for file in files]
    return {"name": "a", "version": "1", "wheels": wheels, **members}


@pytest.mark.parametrize(
    ("files", "python", "machine", "chosen"),
    [
        (["a-1-py3-none-any.whl"], (3, 11), ARM, 0),
        (["a-1-py3-none-any.whl", "a-1-cp312-cp312-manylinux_2_17_x86_64.whl"], (3, 12), X86, 1),
        (["a-1-py3-none-any.whl", "a-1-cp312-cp312-manylinux_2_17_x86_64.whl"], (3, 11), X86, 0),
        (["a-1-cp38-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64.whl"], (3, 13), X86, 0),
        (["a-1-cp312-cp312-manylinux_2_28_aarch64.whl"], (3, 12), ARM, 0),
        (["a-1-cp312-cp312-manylinux_2_34_aarch64.whl"], (3, 12), ARM, None),
        (["a-1-cp312-cp312-musllinux_1_2_x86_64.whl"], (3, 12), X86, None),
        (["a-1-cp312-cp312-macosx_11_0_arm64.whl"], (3, 12), ARM, None),
        ([], (3, 12), X86, None),
    ],
)
def test_the_best_wheel(files: list[str], python: tuple[int, int], machine: str, chosen: int | None) -> None:
    found = lock_wheels.choose(package(*files), python, machine)
    assert (found and found[0]) == (None if chosen is None else files[chosen])


def test_a_platform_without_a_wheel_is_told() -> None:
    lock = {"packages": [package("a-1-cp311-cp311-manylinux_2_17_x86_64.whl")]}
    wheels, missing = lock_wheels.record(lock)
    assert list(wheels["a==1"]["platforms"]) == ["cp311-x86_64"]
    assert len(missing) == 5
    assert "a==1 has no wheel for cp313-aarch64" in missing


@pytest.mark.parametrize(
    ("marker", "wanted"),
    [
        ("sys_platform == 'win32'", 0),
        ("python_full_version < '3.12'", 2),
        ("platform_machine == 'aarch64'", 3),
        ("platform_python_implementation != 'PyPy'", 6),
    ],
)
def test_a_marker_says_where_a_package_is_wanted(marker: str, wanted: int) -> None:
    assert len(list(lock_wheels.survey({"packages": [package(marker=marker)]}))) == wanted
