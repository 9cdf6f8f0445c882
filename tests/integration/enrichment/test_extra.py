"""The libraries of tables are an extra: the server does without, and who lacks them is told what to do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.enrichment.jobs import job

COMMANDS = "from forehearth.cli.main import run; sys.exit(run(sys.argv[1:]))"


def python(script: str, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", f"import sys; {script}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environ})


@pytest.mark.parametrize("library", ["pyarrow", "deltalake"])
def test_without_a_library_the_remedy_is_told_in_one_line(library: str) -> None:
    done = python(f"sys.modules['{library}'] = None; {COMMANDS}", "enrich", "run", "job.yaml")
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert "pip install 'forehearth[enrich]'" in done.stderr


def test_without_the_driver_of_postgresql_too(tmp_path: Path) -> None:
    source = {"format": "postgresql", "url": "${DB}", "query": "SELECT 1"}
    path = job(tmp_path, source=source)
    done = python(f"sys.modules['asyncpg'] = None; {COMMANDS}", "enrich", "plan", str(path), DB="postgresql://x/y")
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert "pip install 'forehearth[postgres]'" in done.stderr
    assert "store" not in done.stderr


def test_without_the_library_of_topics_too(tmp_path: Path) -> None:
    source = {"format": "kafka", "brokers": ["127.0.0.1:9"], "topic": "t", "columns": {"text": "string"}}
    path = job(tmp_path, source=source, deployment={"name": "m", "backend": {"provider": "scripted"}})
    done = python(f"sys.modules['confluent_kafka'] = None; {COMMANDS}", "enrich", "follow", str(path))
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert "pip install 'forehearth[kafka]'" in done.stderr


def test_the_server_and_the_help_do_without() -> None:
    absent = "sys.modules['pyarrow'] = sys.modules['deltalake'] = None"
    done = python(
        f"{absent}; import forehearth.server.serving, forehearth.cli.serve; {COMMANDS}", "enrich", "run", "-h"
    )
    assert done.returncode == 0, done.stderr
    assert "JOB" in done.stdout
