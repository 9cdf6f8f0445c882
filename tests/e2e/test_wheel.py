"""The wheel has what the repository has and nothing else, and is the same program in a clean environment."""

import zipfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from scripts import check_wheel

CONFIG = """\
version: 1
backends:
  told:
    provider: scripted
deployments:
  chat:
    backends:
      - backend: told
"""


pytestmark = pytest.mark.timeout(300)  # the installation counts for the test that comes first


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return check_wheel.build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return check_wheel.install(wheel, tmp_path_factory.mktemp("clean") / "venv")


def test_without_being_asked_nothing_is_compiled(wheel: Path) -> None:
    assert wheel.name == f"forehearth-{version('forehearth')}-py3-none-any.whl"


def test_the_wheel_is_the_package(wheel: Path) -> None:
    assert list(check_wheel.strange_contents(wheel)) == []


def without(name: str) -> Callable[[dict[str, bytes]], None]:
    def change(files: dict[str, bytes]) -> None:
        del files[next(file for file in files if file.endswith(name))]

    return change


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (without("forehearth/py.typed"), "forehearth/py.typed is not in the wheel"),
        (without("/NOTICE"), "NOTICE is not in the wheel"),
        (
            lambda files: files.update({"tests/test_a.py": b""}),
            "tests/test_a.py is in the wheel and not of the package",
        ),
        (lambda files: files.update({"forehearth/b.py": b""}), "forehearth/b.py is in the wheel and not in the repos"),
    ],
)
def test_a_strange_wheel_is_found(
    wheel: Path, tmp_path: Path, change: Callable[[dict[str, bytes]], None], complaint: str
) -> None:
    with zipfile.ZipFile(wheel) as good:
        files = {name: good.read(name) for name in good.namelist()}
    change(files)
    with zipfile.ZipFile(tmp_path / wheel.name, "w") as bad:
        for name, content in files.items():
            bad.writestr(name, content)
    (finding,) = check_wheel.strange_contents(tmp_path / wheel.name)
    assert complaint in finding


@pytest.mark.index
def test_the_installed_program_says_its_version(program: Path, tmp_path: Path) -> None:
    assert version("forehearth") in check_wheel.run(str(program), "version", folder=tmp_path)


@pytest.mark.index
def test_the_installed_program_reads_a_configuration(program: Path, tmp_path: Path) -> None:
    (tmp_path / "forehearth.yaml").write_text(CONFIG)
    check_wheel.run(str(program), "config", "check", "forehearth.yaml", folder=tmp_path)


@pytest.mark.index
def test_the_installed_program_refuses_a_wrong_configuration(program: Path, tmp_path: Path) -> None:
    (tmp_path / "forehearth.yaml").write_text(CONFIG.replace("deployments", "deploymens"))
    with pytest.raises(RuntimeError, match="deployments"):
        check_wheel.run(str(program), "config", "check", "forehearth.yaml", folder=tmp_path)
