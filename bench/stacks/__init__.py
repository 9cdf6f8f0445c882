"""The stacks of the table, one file each; this page lists them in the order in which they are shown."""

from bench.stacks.base import Dialogue, Installed, Launch, Stack
from bench.stacks.direct import Direct
from bench.stacks.envoy import Envoy
from bench.stacks.forehearth import Forehearth
from bench.stacks.litellm import LiteLLM
from bench.stacks.nginx import Nginx
from bench.stacks.portkey import Portkey
from bench.stacks.tensorzero import TensorZero

__all__ = ["Dialogue", "Installed", "Launch", "Stack", "every_stack"]


def every_stack() -> list[Stack]:
    """All rows: the yardsticks, this project, the peers."""
    return [
        Direct(),
        Nginx(),
        Forehearth(),
        Forehearth(tls=True),
        Forehearth(accounts=True),
        Forehearth(source=True),
        Forehearth(accounts=True, source=True),
        Envoy(),
        TensorZero(),
        Portkey(),
        LiteLLM(),
    ]
