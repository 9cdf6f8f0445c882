"""A real Airflow in an environment of its own, and the DAG of `examples/airflow` run by it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.forehearth_server import ForehearthServer

ROOT = Path(__file__).parent.parent.parent
EXAMPLE = ROOT / "examples" / "airflow"
LOCK = ROOT / "requirements-airflow.lock"
PATIENCE = 600.0


class Airflow:
    """An installation of Airflow whose files are in `folder`."""

    def __init__(self, folder: Path, server: ForehearthServer, key: str) -> None:
        self._environment = folder / "environment"
        self._home = folder / "airflow"
        self.dags = self._home / "dags"
        shutil.copytree(EXAMPLE, self.dags)
        self._variables = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")} | {
            "AIRFLOW_HOME": str(self._home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW_CONN_FOREHEARTH": f"http://:{key}@127.0.0.1:{server.port}",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }

    def install(self) -> None:
        """Install it from its lock, wheels only."""
        uv = Path(sys.executable).with_name("uv")
        self._run(uv, "venv", "--quiet", "--python", sys._base_executable, self._environment)
        python = self._environment / "bin" / "python"
        self._run(uv, "pip", "install", "--quiet", "--python", python, "--require-hashes", "--only-binary", ":all:",
                  "-r", LOCK)  # fmt: skip
        self.command("db", "migrate")

    def command(self, *arguments: str, good: bool = True) -> str:
        """What a command of Airflow's prints."""
        return self._run(self._environment / "bin" / "airflow", *arguments, good=good)

    def _run(self, *command: object, good: bool = True) -> str:
        done = subprocess.run(
            [str(each) for each in command],
            env=self._variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False, timeout=PATIENCE,
        )  # fmt: skip
        assert (done.returncode == 0) is good, done.stdout[-4_000:]
        return done.stdout
