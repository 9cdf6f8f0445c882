"""The distribution with Fabric's import path: built, and imported by a notebook that knows nothing of Forehearth."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from scripts import check_wheel
from tests.conftest import ROOT, StartForehearth

SOURCE = ROOT / "distributions" / "fabric-aifunc"

CONFIG = """
version: 1
backends:
  script:
    provider: scripted
    rules:
      - when: {contains: fear}
        answer: El miedo
      - json: {goals: 12}
deployments:
  gpt-5-mini: {backends: [{backend: script}]}
"""

NOTEBOOK = """
import synapse.ml.aifunc as aifunc
import pandas as pd

from synapse.ml import aifunc as again
from synapse.ml.aifunc import Conf

aifunc.default_conf.concurrency = 300
df = pd.DataFrame(["The only thing we have to fear is fear itself."], columns=["text"])
df["translations"] = df["text"].ai.translate("spanish", conf=Conf(temperature=0.5))
df["goals"] = pd.Series(["Alex scored 12 goals."]).ai.extract(
    aifunc.ExtractLabel(label="goals", description="total goals only", max_items=1, type="integer")
)
assert again is aifunc
print(df["translations"][0], df["goals"][0], len(df.ai.stats))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return check_wheel.build(tmp_path_factory.mktemp("shim"), SOURCE)


def test_it_has_one_module_and_no_file_of_the_namespaces(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert [name for name in names if ".dist-info/" not in name] == ["synapse/ml/aifunc/__init__.py"]
    metadata = zipfile.ZipFile(wheel).read(next(name for name in names if name.endswith("METADATA"))).decode()
    assert "Requires-Dist: forehearth[pandas]" in metadata


def test_a_notebook_of_fabric_runs(wheel: Path, start_forehearth: StartForehearth, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(tmp_path)
    environment = {**os.environ, **start_forehearth(CONFIG).environment(), "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", NOTEBOOK], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout == "El miedo 12 2\n", done.stderr


def test_it_is_not_installed_with_forehearth() -> None:
    done = subprocess.run([sys.executable, "-c", "import synapse"], capture_output=True, text=True, check=False)
    assert "No module named 'synapse'" in done.stderr
