"""The served descriptions of a server as one document, for tools that ask a whole server."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from forehearth.wire.descriptions import ADMIN, TOLD

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
SCHEMATHESIS = Path(sys.executable).parent / "schemathesis"
NAMES = (*TOLD, ADMIN)


def read(url: str, name: str) -> dict[str, Any]:
    """The description of that name, as the server answers it."""
    with urllib.request.urlopen(f"{url}/openapi/{name}.json", timeout=30) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def together(url: str, names: tuple[str, ...] = NAMES) -> dict[str, Any]:
    """These as one. What only says that anything may come is left out, so that each status has to be described."""
    whole: dict[str, Any] = {"paths": {}, "schemas": {}}
    for name in names:
        one = read(url, name)
        base = urlsplit(one["servers"][0]["url"]).path
        for path, item in one["paths"].items():
            for operation in item.values():
                operation["operationId"] = f"{name}.{operation['operationId']}"
                operation["responses"].pop("default", None)
            whole["paths"][base + path] = item
        for schema, its in one["components"]["schemas"].items():
            assert whole["schemas"].setdefault(schema, its) == its, f"{schema} is two things"
        whole["security"] = one["components"]["securitySchemes"]
    return {
        "openapi": "3.1.0",
        "info": {"title": "All of it", "version": "1"},
        "servers": [{"url": url}],
        "paths": whole["paths"],
        "components": {"schemas": whole["schemas"], "securitySchemes": whole["security"]},
    }


def asked_by_schemathesis(
    folder: Path, document: dict[str, Any], *, key: str, token: str, examples: int, phases: str, seconds: float
) -> str:
    """What schemathesis says of a server that is to be as the document describes it; it fails where it is not."""
    (folder / "document.json").write_text(json.dumps(document))
    url = document["servers"][0]["url"]
    command = [SCHEMATHESIS, "run", "document.json", "--url", url, "--checks", CHECKS, "--phases", phases]
    command += ["-H", f"api-key: {key}", "-H", f"Authorization: Bearer {token}", "--no-color", "--seed", "1"]
    done = subprocess.run(
        [*command, "--max-examples", str(examples), "--generation-database", "none"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )
    assert done.returncode == 0, done.stdout[-12_000:] + done.stderr[-2_000:]
    return done.stdout
