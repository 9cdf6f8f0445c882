"""Clients that send or read as slowly as they can, as a process of its own: `python -m tests.soak.slow_clients`.

Standard input is one JSON object, {"port", "key", "seconds", "patterns": {name: count}}; standard output another, with
what became of them, by pattern. A client that is sent away comes again, within RATE.
"""

import heapq
import itertools
import json
import resource
import select
import socket
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

RATE = 400
"""Connections that are opened in a second, all patterns together."""
AT_A_TIME = 20
"""Connections that are opened at most without a pause."""
PATH = b"/openai/v1/chat/completions"
GONE = select.EPOLLHUP | select.EPOLLERR | select.EPOLLRDHUP


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """What a client says at first, what it goes on to say, and how often; whether it reads."""

    first: bytes = b""
    drip: bytes = b""
    every: float = 1.0
    reads: bool = True


def patterns(key: str) -> dict[str, Pattern]:
    line = b"POST " + PATH + b" HTTP/1.1\r\nHost: h\r\n"
    head = line + b"api-key: " + key.encode() + b"\r\ncontent-type: application/json\r\n"
    call = json.dumps({"model": "long", "stream": True, "messages": [{"role": "user", "content": "x"}]}).encode()
    return {
        "headers": Pattern(first=line, drip=b"X-a: b\r\n"),
        "one header": Pattern(first=line + b"X-a: ", drip=b"b"),
        "body": Pattern(first=head + b"content-length: 100000\r\n\r\n{", drip=b" "),
        "chunks": Pattern(first=head + b"transfer-encoding: chunked\r\n\r\n", drip=b"1\r\n \r\n"),
        "idle": Pattern(),
        "read": Pattern(first=head + b"content-length: %d\r\n\r\n" % len(call) + call, reads=False),
    }


@dataclass
class Fate:
    """What became of a pattern's clients."""

    opened: int = 0
    refused: int = 0
    seconds: list[float] = field(default_factory=list)
    """How long each lasted that was sent away."""
    told: Counter[str] = field(default_factory=Counter)
    """By their status line, or that they were told nothing."""


class Client:
    """One connection."""

    def __init__(self, port: int, name: str, pattern: Pattern) -> None:
        self.name = name
        self.pattern = pattern
        self.received = b""
        self.socket = socket.socket()
        if not pattern.reads:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setblocking(False)
        self.socket.send(pattern.first)
        self.began = time.monotonic()

    def drip(self) -> None:
        """Say, or read, a little more."""
        try:
            if self.pattern.reads:
                self.socket.send(self.pattern.drip)
            else:
                self.socket.recv(16)
        except OSError:
            pass  # it was sent away, which the next look at it shows

    def over(self, events: int) -> bool:
        """Whether it was sent away, by what happened to it."""
        if self.pattern.reads:
            try:
                while piece := self.socket.recv(4_096):
                    self.received += piece
            except BlockingIOError:
                return False
            except OSError:
                return True
            return True
        return bool(events & GONE)


class Crowd:
    """All of them, on one epoll."""

    def __init__(self, port: int, wanted: dict[str, Pattern]) -> None:
        self._port = port
        self._epoll = select.epoll()
        self._clients: dict[int, Client] = {}
        self._order = itertools.count()
        self._drips: list[tuple[float, int, Client]] = []
        self._wanted = wanted
        self.fates = {name: Fate() for name in wanted}
        self.most = 0
        """How many there were at once."""

    def run(self, counts: dict[str, int], seconds: float) -> None:
        """Open as many as there are to be, and keep it so."""
        missing = [name for name, count in counts.items() for _ in range(count)]
        missing = [name for group in itertools.zip_longest(*_grouped(missing)) for name in group if name]
        began = before = time.monotonic()
        may_open = 0.0
        while (now := time.monotonic()) < began + seconds:
            may_open, before = min(may_open + (now - before) * RATE, AT_A_TIME), now
            while missing and may_open >= 1:
                may_open -= 1
                self._open(missing.pop(0))
            for number, events in self._epoll.poll(0.02):
                if self._clients[number].over(events):
                    missing.append(self._close(number, now))
            while self._drips and self._drips[0][0] <= now:
                due, _, client = heapq.heappop(self._drips)
                if client.socket.fileno() >= 0:
                    client.drip()
                    self._drip_later(client, due)

    def leave(self) -> None:
        """Close all that are open."""
        for client in self._clients.values():
            client.socket.close()

    def _open(self, name: str) -> None:
        fate = self.fates[name]
        try:
            client = Client(self._port, name, self._wanted[name])
        except OSError:
            fate.refused += 1
            return
        fate.opened += 1
        number = client.socket.fileno()
        self._clients[number] = client
        self.most = max(self.most, len(self._clients))
        self._epoll.register(number, select.EPOLLRDHUP | (select.EPOLLIN if client.pattern.reads else 0))
        if client.pattern.drip or not client.pattern.reads:
            self._drip_later(client, time.monotonic())

    def _drip_later(self, client: Client, now: float) -> None:
        heapq.heappush(self._drips, (now + client.pattern.every, next(self._order), client))

    def _close(self, number: int, now: float) -> str:
        client = self._clients.pop(number)
        self._epoll.unregister(number)
        client.socket.close()
        fate = self.fates[client.name]
        fate.seconds.append(now - client.began)
        fate.told[client.received.partition(b"\r\n")[0].decode() or "nothing"] += 1
        return client.name


def _grouped(names: list[str]) -> list[list[str]]:
    return [list(group) for _, group in itertools.groupby(names)]


def main() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asked = json.load(sys.stdin)
    known = patterns(asked["key"])
    crowd = Crowd(asked["port"], {name: known[name] for name in asked["patterns"]})
    crowd.run(asked["patterns"], asked["seconds"])
    crowd.leave()
    said = {
        name: {"opened": fate.opened, "refused": fate.refused, "seconds": sorted(fate.seconds), "told": fate.told}
        for name, fate in crowd.fates.items()
    }
    sys.stdout.write(json.dumps({"most": crowd.most, "fates": said}) + "\n")


if __name__ == "__main__":
    main()
