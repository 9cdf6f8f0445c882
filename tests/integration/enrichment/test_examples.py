"""The examples of enrichment, as their READMEs tell them: every command, in order, against a server that answers by
script under the name that the embedded model has; where vectors have to mean something, against the embedded model."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from openai import OpenAI

from tests.conftest import ROOT, StartForehearth
from tests.forehearth_server import PROGRAM, ForehearthServer

BLOCK = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)
SERVER = """
version: 1
backends:
  script:
    provider: scripted
    rules:
      - when: {contains: charged twice}
        json: {team: billing, urgency: 4, about: paid twice}
      - when: {contains: ticket}
        json: {team: technical, urgency: 2, about: the app}
      - when: {contains: that one is fine}
        json: {tone: mixed, about: replaced}
      - when: {contains: review}
        json: {tone: negative, about: light}
deployments:
  default:
    backends: [{backend: script}]
"""


@pytest.fixture(scope="module")
def server(start_module_forehearth: StartForehearth) -> ForehearthServer:
    return start_module_forehearth(SERVER)


def follow(name: str, folder: Path, server: ForehearthServer) -> list[str]:
    """Do in a copy of an example what its README says; what each block printed."""
    place = folder / name
    shutil.copytree(ROOT / "examples" / name, place)
    path = os.pathsep.join([str(PROGRAM.parent), str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {"PATH": path, "FOREHEARTH_URL": server.url, "FOREHEARTH_API_KEY": server.key}
    blocks = BLOCK.findall((place / "README.md").read_text("utf-8"))
    assert blocks
    command = ["bash", "-e", "-c"]
    done = [
        subprocess.run([*command, each], cwd=place, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        for each in blocks
    ]
    return [each.stdout for each in done]


def test_ticket_triage(tmp_path: Path, server: ForehearthServer) -> None:
    ran, read, again = follow("ticket-triage", tmp_path, server)
    assert re.search(r"prompts\s+10 that differ", ran)
    assert re.search(r"rows\s+12 of 12 landed", ran)
    assert "billing" in read
    assert "paid twice" in read
    frame = pl.read_delta(str(tmp_path / "ticket-triage" / "triaged")).sort("id")
    assert frame["id"].to_list() == list(range(1001, 1013))
    assert frame.filter(pl.col("team").is_null())["id"].to_list() == [1010]
    assert frame.filter(pl.col("team") == "billing")["id"].to_list() == [1001, 1004]
    assert "12 of 12 landed" in again


def test_nightly(tmp_path: Path, server: ForehearthServer) -> None:
    first, second = follow("nightly", tmp_path, server)
    assert first.count("light") == 3
    assert second.count("light") == 3
    frame = pl.read_delta(str(tmp_path / "nightly" / "judged")).sort("review")
    assert frame["review"].to_list() == [1, 2, 3, 4]
    assert frame["tone"].to_list() == ["negative", "mixed", "negative", "negative"]
    assert frame["_source_version"].n_unique() == 2


@pytest.mark.models
def test_product_search(tmp_path: Path, forehearth: ForehearthServer) -> None:
    ran, found, again = follow("product-search", tmp_path, forehearth)
    assert re.search(r"rows\s+20 of 20 landed, 0 of them failed", ran)
    drink, roses = found.split("similarity")[1:]
    assert re.search(r"float.*\n.*\n[^\n]*(Vacuum flask|Travel mug)", drink)
    assert re.search(r"float.*\n.*\n[^\n]*Pruning shears", roses)
    assert re.search(r"20 of 20 landed, 0 of them failed, 19 answered by what was known", again)
    frame = pl.read_delta(str(tmp_path / "product-search" / "products"))
    assert frame.schema["embedding"] == pl.List(pl.Float32)
    assert (frame.height, frame["sku"].n_unique()) == (20, 20)
    assert set(frame["embedding"].list.len()) == {384}
    assert frame["_run_id"].n_unique() == 1
    client = OpenAI(base_url=f"{forehearth.url}/openai/v1", api_key=forehearth.key)
    row = frame.row(by_predicate=pl.col("sku") == "P-107", named=True)
    theirs = client.embeddings.create(model="all-minilm-l6-v2", input=row["description"]).data[0].embedding
    assert row["embedding"] == pytest.approx(theirs, abs=1e-5)
