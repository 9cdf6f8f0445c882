"""`forehearth version`."""

import json
import platform
import subprocess
import sys
from importlib import metadata

from forehearth import __version__
from forehearth.cli.main import run
from forehearth.cli.version import PARTS


def test_for_people(capsys):
    assert run(["version"]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines["forehearth"] == __version__
    assert lines["modules"] == "source"  # `make wheel` has them compiled; tests/e2e/test_compiled.py asks that one
    assert lines["python"] == platform.python_version()
    assert lines["uvicorn"] == metadata.version("uvicorn")
    assert set(lines) == {"forehearth", "modules", "python", "platform", *PARTS}


def test_for_scripts(capsys):
    assert run(["version", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["forehearth"] == __version__
    assert found["httptools"] == metadata.version("httptools")
    assert set(found) == {"forehearth", "modules", "python", "platform", *PARTS}


def test_it_imports_none_of_what_it_names():
    code = (
        "import sys; from forehearth.cli.main import run; run(['version'])\n"
        "loaded = {'uvicorn', 'httptools', 'starlette', 'xllamacpp', 'onnxruntime', 'yaml'} & set(sys.modules)\n"
        "sys.exit(str(loaded) if loaded else 0)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
