"""The modules that wheels have compiled are of the kind that is the same compiled: what the compiler does not tell."""

import enum
import importlib
import inspect
import pkgutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import forehearth
from scripts import compiled_wheel

ROOT = Path(__file__).parent.parent.parent.parent
HOOK = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]
MODULES = ["forehearth." + each.replace("/", ".") for each in HOOK["custom"]["modules"]]
EXTRAS = {"forehearth.enrich", "forehearth.functions", "forehearth.testing"}
"""Made for programs of others, of extras that are not here at all times; they have none of a call's way."""


def classes_of(module: str) -> Iterator[type]:
    """The classes that a module defines."""
    for _, found in inspect.getmembers(importlib.import_module(module), inspect.isclass):
        if found.__module__ == module:
            yield found


def every_module() -> Iterator[str]:
    for found in pkgutil.walk_packages(forehearth.__path__, "forehearth."):
        if not found.name.endswith("__main__") and not any(found.name.startswith(each) for each in EXTRAS):
            yield found.name


def test_they_are_there_each_once_and_in_order():
    named = HOOK["custom"]["modules"]
    assert named == sorted(set(named))
    assert [name for name in named if not (ROOT / "src" / "forehearth" / f"{name}.py").is_file()] == []


@pytest.mark.parametrize("module", MODULES)
def test_they_define_no_class_that_is_made_of_its_annotations(module):
    """Compiled, a Struct is neither frozen nor typed, and an enumeration is slow: they have modules of their own."""
    made = [found.__name__ for found in classes_of(module) if issubclass(found, msgspec.Struct | enum.Enum)]
    assert made == []


@pytest.mark.parametrize("module", MODULES)
def test_their_classes_have_bases_that_are_compiled_too(module):
    """Of one whose base in Python has members, the compiled members lie over those. asyncio's protocols have none."""
    for found in classes_of(module):
        bases = [base for base in found.__mro__[1:] if base.__module__ not in {"builtins", *MODULES}]
        assert [base for base in bases if base.__basicsize__ > object.__basicsize__] == []


def test_nothing_in_python_inherits_from_what_is_compiled():
    """Python cannot: the import would fail."""
    heirs = [
        found
        for module in every_module()
        if module not in MODULES
        for found in classes_of(module)
        if any(base.__module__ in MODULES for base in found.__mro__[1:])
    ]
    assert heirs == []


def test_a_machine_that_cannot_compile_is_told_what_is_missing(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("CC", "no-such-compiler")
    monkeypatch.setattr(sys, "argv", ["compiled_wheel", "--out", str(tmp_path)])
    assert compiled_wheel.main() == 1
    assert "there is no C compiler here" in capsys.readouterr().err
    monkeypatch.delenv("CC")
    monkeypatch.setattr(compiled_wheel.sysconfig, "get_path", lambda _: str(tmp_path))
    monkeypatch.setattr(compiled_wheel.shutil, "which", lambda name: name)
    with pytest.raises(compiled_wheel.NotCompiledError, match=r"headers of Python 3\.\d+ are not here; .*python3-dev"):
        compiled_wheel.build(tmp_path)


def test_without_being_asked_nothing_is_compiled(tmp_path):
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    assert [each.name for each in tmp_path.iterdir()] == [f"forehearth-{forehearth.__version__}-py3-none-any.whl"]
