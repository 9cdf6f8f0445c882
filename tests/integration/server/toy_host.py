"""A model host of the toy kind: it answers every request with its process id, and does what a path says."""

import http.server
import os
import signal
import socket
import sys
import threading
import time

import msgspec

from forehearth.server.lifeline import Lifeline
from forehearth.server.messages import Ready, Trouble
from forehearth.server.orders import HostOrder


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/die":
            os._exit(3)
        if self.path == "/hang":
            time.sleep(60)
        body = str(os.getpid()).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Be quiet."""


def main() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    lifeline = Lifeline.from_standard_input()
    order = msgspec.json.decode(lifeline.order(), type=HostOrder)
    if any(model.name == "cannot-load" for model in order.models):
        lifeline.say(Trouble(reason="the engine cannot be loaded"))
        sys.exit(1)
    over = threading.Event()
    lifeline.follow(told=lambda _: over.set(), orphaned=over.set)
    listener = socket.socket(fileno=order.descriptor)
    lifeline.say(Ready())
    listener.setblocking(True)
    threading.Thread(target=accept, args=(listener,), daemon=True).start()
    over.wait()


def accept(listener: socket.socket) -> None:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


def serve(connection: socket.socket) -> None:
    with connection:
        Handler(connection, ("", 0), None)  # type: ignore[arg-type] # it asks nothing of a server


if __name__ == "__main__":
    main()
