"""The corpus of hostile and odd requests: `hostile.json`, with nginx's verdicts beside it in `nginx.json`.

A case's `request` is a list of pieces: a string, each character one byte, or a string and how often it comes.
`expect` has the status of every response, in order; `closed` says whether the connection is ended after them. `on` is
there when only one of the two ways in is meant: `call`, an entrance's call, or `app`, the ASGI application. `head` says
that the responses have no bodies. `laxer_than_nginx` is the reason, where nginx refuses what is accepted here.
"""

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CALL = b"/call/echo"
APP = b"/app/echo"


def cases() -> list[dict[str, Any]]:
    return json.loads((HERE / "hostile.json").read_text("utf-8"))


def nginx_verdicts() -> dict[str, Any]:
    return json.loads((HERE / "nginx.json").read_text("utf-8"))


def name(case: dict[str, Any]) -> str:
    return f"{case['family']}: {case['name']}"


def request(case: dict[str, Any]) -> bytes:
    pieces = (piece if isinstance(piece, str) else piece[0] * piece[1] for piece in case["request"])
    return "".join(pieces).encode("latin-1")
