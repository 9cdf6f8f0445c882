"""nginx as a plain reverse proxy: the floor that the ratios of all others are taken to."""

import subprocess
from pathlib import Path

from bench import environments, payloads
from bench.processes import free_port
from bench.stacks.base import Dialogue, Launch
from bench.upstream import Upstream

_CONFIGURATION = """\
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    keepalive_requests 100000000;
    upstream mock {{
        server 127.0.0.1:{upstream};
        keepalive 512;
        keepalive_requests 100000000;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://mock;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
        }}
    }}
}}
"""


class Nginx:
    """Debian's nginx, one worker, kept-alive upstream connections, no buffering of replies."""

    name = "nginx"
    title = "nginx"
    policy = "Plain reverse proxy: no key, no look into the body, no metrics, no log."
    has_policy = False
    patience = 10.0

    def __init__(self) -> None:
        self._program = Path()

    def prepare(self, work: Path) -> str:
        """Unpack the Debian package."""
        self._program = environments.debian(work / self.name, "nginx", "usr/sbin/nginx")
        said = subprocess.run([str(self._program), "-v"], capture_output=True, text=True, check=False).stderr
        return said.strip().rpartition("/")[2]

    def launch(self, folder: Path, upstream: Upstream) -> Launch:
        """One worker under its master process."""
        port = free_port()
        (folder / "nginx.conf").write_text(_CONFIGURATION.format(upstream=upstream.port, port=port))
        return Launch(
            command=(str(self._program), "-p", str(folder), "-e", "stderr", "-c", "nginx.conf"),
            dialogue=Dialogue(body_bytes=payloads.REPLY_BYTES, events=payloads.EVENTS),
            port=port,
        )
