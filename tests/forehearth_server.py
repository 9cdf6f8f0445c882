"""The real `forehearth serve` as a process of its own, on ports that the system chooses, for tests and the docs."""

import os
import re
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROGRAM = Path(sys.executable).parent / "forehearth"
PATIENCE = 180.0
"""Seconds until a server must be ready. Long, because the first one on a machine fetches its models."""

SOONER = signal.SIGTERM if signal.getsignal(signal.SIGINT) is signal.SIG_IGN else signal.SIGINT
"""What ends a server that is ready: Ctrl-C gives no notice of a second to load balancers. Those who had it ignored when
they started the tests have servers that ignore it too."""

HTTP = re.compile(r"http://(?:127\.0\.0\.1|localhost|\[::1\]):(\d+)")
HTTPS = re.compile(r"https://(?:127\.0\.0\.1|localhost|\[::1\]):(\d+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class ForehearthServer:
    """A running server. `log` is the file that has everything it printed."""

    process: subprocess.Popen[bytes]
    data_dir: Path
    log: Path
    given_key: str | None

    @property
    def pid(self) -> int:
        """The process id of the parent process."""
        return self.process.pid

    @property
    def url(self) -> str:
        """Where it answers over http, without a slash at the end."""
        return f"http://127.0.0.1:{self._port(HTTP)}"

    @property
    def tls_url(self) -> str:
        """Where it answers over https, under a name that its certificate has."""
        return f"https://localhost:{self._port(HTTPS)}"

    @property
    def port(self) -> int:
        """The port of http."""
        return self._port(HTTP)

    @property
    def tls_port(self) -> int:
        """The port of https."""
        return self._port(HTTPS)

    @property
    def key(self) -> str:
        """The development key."""
        return self.given_key or (self.data_dir / "keys" / "development").read_text().strip()

    @property
    def ca(self) -> Path:
        """The certificate of the development CA."""
        return self.data_dir / "tls" / "ca.pem"

    @property
    def output(self) -> str:
        """What it has printed until now."""
        return self.log.read_text(errors="replace")

    def environment(self) -> dict[str, str]:
        """Variables with which clients and `forehearth` commands find this server and trust it."""
        return {
            "FOREHEARTH_URL": self.url,
            "FOREHEARTH_API_KEY": self.key,
            "XDG_DATA_HOME": str(self.data_dir.parent),
            "SSL_CERT_FILE": str(self.ca),
            "REQUESTS_CA_BUNDLE": str(self.ca),
            "CURL_CA_BUNDLE": str(self.ca),
            "NODE_EXTRA_CA_CERTS": str(self.ca),
        }

    def stop(self, with_signal: signal.Signals = signal.SIGTERM, patience: float = 40.0) -> int:
        """End it as an operator would, wait, and return its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the server did not end within {patience} s:\n{self.output[-4000:]}") from None

    def _port(self, pattern: re.Pattern[str]) -> int:
        found = pattern.search(self.output)
        assert found, f"the server has not said where it listens:\n{self.output[-4000:]}"
        return int(found[1])


@contextmanager
def forehearth_server(
    folder: Path,
    config: str | None = None,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    wait: bool = True,
) -> Iterator[ForehearthServer]:
    """Start a server whose files are in `folder`, wait until it is ready, and stop it at the end.

    Without `config` it is the built-in embedded configuration. `environment` is added to a clean one; with `wait`
    false the server is yielded at once.
    """
    data_dir = folder / "data" / "forehearth"
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    command = [str(PROGRAM), "serve", "--port", "0", "--tls-port", "0", "--data-dir", str(data_dir), *arguments]
    if config is not None:
        (folder / "server.yaml").write_text(config)
        command += ["--config", str(folder / "server.yaml")]
    log = folder / "server.log"
    variables = {name: value for name, value in os.environ.items() if not name.startswith("FOREHEARTH_")}
    variables |= environment or {}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=variables, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    server = ForehearthServer(
        process=process, data_dir=data_dir, log=log, given_key=variables.get("FOREHEARTH_API_KEY")
    )
    how = signal.SIGTERM
    try:
        if wait:
            wait_until_ready(server)
            how = SOONER
        yield server
    finally:
        server.stop(how)


def wait_until_ready(server: ForehearthServer, patience: float = PATIENCE) -> None:
    """Return when `/health/ready` is 200; fail when the server ends or the patience does."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        assert server.process.poll() is None, f"the server ended at once:\n{server.output[-4000:]}"
        if HTTP.search(server.output) and status(f"{server.url}/health/ready") == 200:
            return
        time.sleep(0.05)
    raise AssertionError(f"the server was not ready within {patience} s:\n{server.output[-4000:]}")


def status(url: str, ca: Path | None = None) -> int:
    """The status that `GET url` answers with; 0 when nothing answers. No proxy is asked."""
    context = ssl.create_default_context(cafile=ca) if ca else None
    handlers = [urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)]
    try:
        with urllib.request.build_opener(*handlers).open(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0
