"""What a worker is handed, complete, when it begins to serve."""

import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from forehearth.core.secret import Secret
from forehearth.core.settings import Settings
from forehearth.http.turning_away import turn_away
from forehearth.server.data_directory import DataDirectory
from forehearth.server.health import Health
from forehearth.server.listening import Listener
from forehearth.server.shutdown import Shutdown
from forehearth.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerContext:
    """Everything a worker needs from outside itself. `compose.run_worker` opens the rest."""

    index: int
    """This worker's number, from 0."""
    settings: Settings
    key: Secret
    """The development key."""
    data: DataDirectory
    listeners: Sequence[Listener]
    """Sockets that all workers accept on, already listening and not blocking."""
    tls: ssl.SSLContext | None
    """For the listeners that speak TLS; None where there are none."""
    embedded_socket: str
    """The model host's socket; empty where no deployment is embedded."""
    development_issuer: bool
    """Whether this server issues tokens, too, for those on this machine."""
    environ: Mapping[str, str]
    """For the proxy variables, which are the only ones that may still be read."""
    metrics: Metrics
    """This worker's own numbers."""
    metrics_page: Callable[[], str]
    """The page of `/metrics`, over all workers."""
    health: Health
    shutdown: Shutdown
    conceal: Callable[..., None]
    """To be called with secrets that are not of the configuration, as `Secret`, before they are used: the log then
    takes them out, too."""
    ready: Callable[[], None]
    """To be called once, when connections are accepted."""

    def turn_away(self) -> None:
        """Let no connection begin any more, unless this worker ends alone: then the others take in who comes."""
        if self.shutdown.whole:
            for each in self.listeners:
                turn_away(each.socket)
