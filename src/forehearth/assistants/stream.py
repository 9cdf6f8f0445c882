"""The events of a run as they are sent: those that it begins with, and then what its job tells."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Final

import msgspec

from forehearth.assistants.kept import KeptRun
from forehearth.assistants.runs import Runs
from forehearth.core.document import StoreFailed
from forehearth.core.errors import NotFound
from forehearth.core.place import Place
from forehearth.dialects.assistants.answer import Event
from forehearth.dialects.assistants.states import FINAL, Status
from forehearth.jobs.desk import Jobs

RUN: Final = "thread.run"
DONE: Final = b"event: done\ndata: [DONE]\n\n"
LAST: Final = frozenset(f"{RUN}.{status}" for status in (*FINAL, Status.REQUIRES_ACTION))
"""What is told last before a stream is done."""
_UNREAD: Final = {
    "code": "server_error",
    "message": "What the run tells cannot be read now; it goes on. Ask for the run itself.",
    "param": None,
    "type": "server_error",
}
Sleep = Callable[[float], Awaitable[None]]


async def stream(
    runs: Runs, jobs: Jobs, place: Place, kept: KeptRun, head: Sequence[Event], sleep: Sleep
) -> AsyncGenerator[bytes, None]:
    """The `head`, what the run's job tells until it is over or calls functions, and that it is done."""
    yield b"".join(sent(name, msgspec.json.encode(body)) for name, body in head)
    last = ""
    try:
        async for each in jobs.follow(place, kept.job, sleep):
            yield sent(each.name, each.body)
            last = each.name
        if last not in LAST:  # nobody was left to tell how it ended
            now = await runs.now(place, kept)
            yield sent(f"{RUN}.{now.run.status}", msgspec.json.encode(now.run))
    except NotFound:
        pass  # removed meanwhile
    except StoreFailed:
        yield sent("error", msgspec.json.encode(_UNREAD))
    yield DONE


def sent(name: str, body: bytes) -> bytes:
    """One event."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), body)
