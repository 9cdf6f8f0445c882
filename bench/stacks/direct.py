"""No gateway at all: the load generator speaks to the mock. Its latency is what others' latency is added to."""

from pathlib import Path

from bench import payloads
from bench.stacks.base import Dialogue, Launch
from bench.upstream import Upstream

DIALOGUE = Dialogue(body_bytes=payloads.REPLY_BYTES, events=payloads.EVENTS)


class Direct:
    """The mock upstream itself; there is nothing to start."""

    name = "direct"
    title = "mock upstream, no gateway"
    policy = "There is no gateway: this is what the load generator and the mock need by themselves."
    has_policy = False
    patience = 5.0

    def prepare(self, work: Path) -> str:
        """Nothing to install."""
        del work
        return "-"

    def launch(self, folder: Path, upstream: Upstream) -> Launch:
        """Nothing to start."""
        del folder
        return Launch(command=(), dialogue=DIALOGUE, port=upstream.port)
