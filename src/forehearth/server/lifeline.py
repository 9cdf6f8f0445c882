"""A child's end of the socket to its parent: its order, what it is told later, and the news that the parent is gone."""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Self

from forehearth.server.messages import Downward, Message, from_parent, line

ORPHAN_SECONDS = 1.5
"""How long a child may take to end by itself when its parent is gone; then it is ended."""

CHUNK = 65_536


class Lifeline:
    """Made once, first thing in a child. Messages come on a thread of their own, so a busy loop cannot miss the end."""

    def __init__(self, tie: socket.socket) -> None:
        self._tie = tie
        self._lines = self._read()

    @classmethod
    def from_standard_input(cls) -> Self:
        """Take the socket out of the way of everything that reads standard input, and ignore Ctrl-C from here on."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        tie = socket.socket(fileno=os.dup(0))
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        return cls(tie)

    def order(self) -> bytes:
        """What this process was started for. Ends the process when the parent is gone before it could say."""
        order = next(self._lines, None)
        if order is None:
            raise SystemExit(1)
        return order

    def follow(self, told: Callable[[Downward], None], orphaned: Callable[[], None]) -> None:
        """From now on pass on what the parent says, and call `orphaned` when it is gone; both on another thread.

        The process is ended `ORPHAN_SECONDS` after that, whatever it is doing.
        """
        threading.Thread(target=self._follow, args=(told, orphaned), name="lifeline", daemon=True).start()

    def say(self, message: Message) -> None:
        """Tell the parent; nothing happens when it is gone."""
        try:
            self._tie.sendall(line(message))
        except OSError:
            return

    def _follow(self, told: Callable[[Downward], None], orphaned: Callable[[], None]) -> None:
        for received in self._lines:
            told(from_parent(received))
        orphaned()
        time.sleep(ORPHAN_SECONDS)
        os._exit(1)

    def _read(self) -> Iterator[bytes]:
        """Whole lines, until the parent is gone."""
        pending = b""
        while received := self._receive():
            *lines, pending = (pending + received).split(b"\n")
            yield from lines

    def _receive(self) -> bytes:
        try:
            return self._tie.recv(CHUNK)
        except OSError:
            return b""
