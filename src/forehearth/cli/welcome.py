"""What `forehearth serve` says once it is up: where it is, with which key, and what to do next. Never the key."""

import json
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from forehearth import __version__
from forehearth.core.settings import Settings
from forehearth.providers.embedded import EmbeddedSettings
from forehearth.server.data_directory import DataDirectory
from forehearth.server.listening import Listener

EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - what to show for it
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost", *EVERY_ADDRESS})

SHAPES = (("Foundry models", "/models"), ("OpenAI v1", "/openai/v1/"), ("Azure OpenAI", "/"))
"""How clients call each shape of the API, and where it begins."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be told of a server that is up."""

    settings: Settings
    data: DataDirectory
    listeners: tuple[Listener, ...]
    key_is_stored: bool
    """Whether the key lies in the data directory; else the caller set it in the environment."""
    is_default: bool
    """Whether the data directory is where commands look by themselves."""
    program: str
    """How this program is called from a shell."""


def addresses(place: Place) -> list[str]:
    """The origins that clients can call: http, and https where it is spoken."""
    host, shown = place.settings.server.host, _host(place)
    secure = "localhost" if host in LOOPBACK else shown
    found = {each.tls: each.port for each in place.listeners if not each.admin}
    return [f"https://{secure}:{port}" if tls else f"http://{shown}:{port}" for tls, port in sorted(found.items())]


def admin_address(place: Place) -> str | None:
    """The origin that has `/admin`, where it is none of these."""
    port = next((each.port for each in place.listeners if each.admin), None)
    return None if port is None else f"http://{_host(place)}:{port}"


def _host(place: Place) -> str:
    host = place.settings.server.host
    return EVERY_ADDRESS.get(host, f"[{host}]" if ":" in host else host)


def welcome(place: Place) -> str:
    """The whole text, without a line break at its end."""
    origins = addresses(place)
    rows = [[name, *(f"{origin}{path}" for origin in origins)] for name, path in SHAPES]
    lines = [f"Forehearth {__version__} is up.", "", *_columns(rows), "", f"  Key    {_key(place)}"]
    admin = admin_address(place)
    if admin is not None:
        lines.append(f"  Admin  {admin}/admin")
    example = _example(place, origins[0])
    if example:
        lines.append(f"  Try    {example}")
    if len(origins) > 1 and place.settings.server.tls.certificate is None:
        lines.append(f"  Trust  {_trust(place)}")
    lines.append(f"  Next   {_next(place)}")
    return "\n".join(lines)


def program(called_as: str, environ: Mapping[str, str]) -> str:
    """How a shell calls the program that was started as `called_as`."""
    path = Path(called_as)
    if path.name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m forehearth"
    found = shutil.which(path.name, path=environ.get("PATH"))
    if found is not None and path.exists() and path.samefile(found):
        return path.name
    return shlex.quote(str(path.absolute()) if path.exists() else called_as)


def _columns(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = (zip(row, widths, strict=True) for row in rows)
    return ["  " + "  ".join(cell.ljust(width) for cell, width in row).rstrip() for row in padded]


def _key(place: Place) -> str:
    where = str(place.data.keys / "development") if place.key_is_stored else "as you set it in FOREHEARTH_API_KEY"
    return f"{where} (send it as 'api-key: KEY' or 'Authorization: Bearer KEY')"


def _example(place: Place, origin: str) -> str:
    """A call to paste: chat where there is a model for it, else embeddings; empty without a deployment."""
    settings = place.settings
    kinds = {name: each.model.type for name, each in settings.deployments.items()}
    kinds = {name: kinds[route.chain[0]] for name, route in settings.routes.items() if route.chain[0] in kinds} | kinds
    body: dict[str, object]
    for kind, path in (("chat_completion", "chat/completions"), ("embeddings", "embeddings")):
        name = next((each for each, its in kinds.items() if its == kind), None)
        if name is None:
            continue
        if kind == "embeddings":
            body = {"model": name, "input": "Hello."}
        else:
            body = {"model": name, "messages": [{"role": "user", "content": "Name the capital city of France."}]}
        stored = shlex.quote(str(place.data.keys / "development"))
        key = f"$(cat {stored})" if place.key_is_stored else "$FOREHEARTH_API_KEY"
        data = shlex.quote(json.dumps(body, ensure_ascii=True))
        return f"curl -sS {origin}/openai/v1/{path} -H \"api-key: {key}\" -H 'content-type: application/json' -d {data}"
    return ""


def _trust(place: Place) -> str:
    option = "" if place.is_default else f" --data-dir {shlex.quote(str(place.data.path))}"
    return f'eval "$({place.program} tls trust{option})"  (then this shell\'s programs accept the https certificate)'


def _next(place: Place) -> str:
    backends = place.settings.backends.values()
    if all(isinstance(each, EmbeddedSettings) for each in backends):
        return (
            "these models are small and for trying things out: for a real one, name Ollama, vLLM or Azure OpenAI as a "
            f"backend in forehearth.yaml (examples/ has some) and run '{place.program} serve'"
        )
    return f"'{place.program} config check' checks a configuration; examples/ has more of them"
