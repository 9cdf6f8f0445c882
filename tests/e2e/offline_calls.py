"""Run inside a network namespace of its own, where nothing but the loopback exists: serve, call, print what came."""

import fcntl
import json
import socket
import struct
import sys
import tempfile
import urllib.request
from pathlib import Path

from tests.forehearth_server import forehearth_server

SET_FLAGS, UP_AND_RUNNING = 0x8914, 0x41
CHAT = {
    "model": "default",
    "messages": [{"role": "user", "content": "Name the capital city of France."}],
    "max_tokens": 16,
}


def bring_loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SET_FLAGS, struct.pack("16sh14x", b"lo", UP_AND_RUNNING))


def call(url: str, key: str, body: object) -> object:
    headers = {"api-key": key, "content-type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def main() -> int:
    bring_loopback_up()
    with tempfile.TemporaryDirectory() as folder, forehearth_server(Path(folder)) as server:
        chat = call(f"{server.url}/openai/v1/chat/completions", server.key, {**CHAT, "temperature": 0})
        vectors = call(f"{server.url}/models/embeddings", server.key, {"model": "all-minilm-l6-v2", "input": ["a"]})
    names = [name for _, name in socket.if_nameindex()]
    json.dump({"interfaces": names, "chat": chat, "vectors": vectors}, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
