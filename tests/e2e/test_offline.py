"""The embedded models answer where there is no network at all."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNSHARE = ["unshare", "--user", "--map-root-user", "--net"]


def may_unshare() -> bool:
    return shutil.which("unshare") is not None and subprocess.run([*UNSHARE, "true"], check=False).returncode == 0


@pytest.mark.models
@pytest.mark.skipif(not may_unshare(), reason="this system lets users make no network namespaces")
def test_the_embedded_models_answer_without_a_network(forehearth):
    assert forehearth.url, "the shared server has fetched the weights by now"
    done = subprocess.run(
        [*UNSHARE, sys.executable, "-m", "tests.e2e.offline_calls"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=110,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout)
    assert said["interfaces"] == ["lo"]
    assert "Paris" in said["chat"]["choices"][0]["message"]["content"]
    assert len(said["vectors"]["data"][0]["embedding"]) == 384
