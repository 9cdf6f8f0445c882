"""The modules that wheels have compiled are of the kind that is the same compiled: what the compiler does not tell."""

import ast
import enum
import importlib
import inspect
import pkgutil
import sys
import tomllib
import zipfile
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


@pytest.mark.parametrize("module", MODULES)
def test_nothing_in_them_calls_itself(module):
    """Compiled, it would not end with a RecursionError but with the process."""
    tree = ast.parse(inspect.getsource(importlib.import_module(module)))
    functions = [each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
    found = [function.name for function in functions for call in ast.walk(function) if calls(call, function.name)]
    assert found == []


def calls(node: ast.AST, name: str) -> bool:
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    if isinstance(called, ast.Attribute):
        return called.attr == name and isinstance(called.value, ast.Name) and called.value.id == "self"
    return isinstance(called, ast.Name) and called.id == name


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


def test_a_machine_that_cannot_compile_is_told_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("CC", "no-such-compiler -O2")
    told = r"there is no C compiler here \(no-such-compiler\); .*gcc python3-dev"
    with pytest.raises(compiled_wheel.NotCompiledError, match=told):
        compiled_wheel.build(tmp_path)
    lacking = compiled_wheel.obstacle(sys.executable, tmp_path)
    assert lacking == f"the headers of Python 3.{sys.version_info.minor} are not here"
    (tmp_path / "Python.h").touch()
    assert compiled_wheel.obstacle(sys.executable, tmp_path) == ""


def test_what_was_compiled_of_the_same_sources_stays(tmp_path):
    root, folder, made = tmp_path / "root", tmp_path / "compiled", []
    for file in ("pyproject.toml", "scripts/compiling.py", "src/forehearth/a.py", "src/forehearth/queries.sql"):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(file)

    def make(to: Path) -> Path:
        made.append(to)
        with zipfile.ZipFile(to / "a.whl", "w") as wheel:
            wheel.writestr(f"forehearth/{len(made)}.so", b"")
        return to / "a.whl"

    for _ in range(2):
        compiled_wheel.unpacked(folder, root, make)
    assert (folder / "forehearth" / "1.so").exists()
    for file in ("src/forehearth/queries.sql", "scripts/compiling.py"):
        (root / file).write_text("changed")
        compiled_wheel.unpacked(folder, root, make)
    assert [each.name for each in (folder / "forehearth").iterdir()] == ["3.so"]
