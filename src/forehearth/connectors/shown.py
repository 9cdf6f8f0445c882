"""A request as curl and as Python: what a reader can paste. Secrets are named by where they are, and never written."""

import json
import shlex
from pathlib import Path
from typing import Final

import msgspec

from forehearth.connectors.asking import Ask, credential_header
from forehearth.connectors.shapes import Auth

_INDENT: Final = "    "
_IDENTITY: Final = "from azure.identity import DefaultAzureCredential"


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """A credential by the place where it is: as a shell has it, and as Python has it."""

    auth: Auth
    in_shell: str
    """What stands between double quotes: `$AZURE_OPENAI_API_KEY`, or `$(cat …)`."""
    python: str
    """An expression: its text for a key, a credential of azure-identity for a token."""
    imports: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    """What a shell has to do first, for the Python."""


def key_in(variable: str) -> Credential:
    """A key that the environment has."""
    return Credential(auth="key", in_shell=f"${variable}", python=f'os.environ["{variable}"]', imports=("import os",))


def key_at(path: Path) -> Credential:
    """A key that lies in a file."""
    return Credential(
        auth="key",
        in_shell=f"$(cat {shlex.quote(str(path))})",
        python=f"Path({_text(str(path))}).read_text().strip()",
        imports=("from pathlib import Path",),
    )


def token_by(command: str, before: tuple[str, ...] = ()) -> Credential:
    """A token that a command prints, and azure-identity gets after `before`."""
    return Credential(
        auth="token",
        in_shell=command,
        python="DefaultAzureCredential()",
        before=before,
    )


def curl(ask: Ask, credential: Credential, ca: Path | None = None) -> str:
    """The command that sends it. `ca` is the certificate to trust, where the system's are not enough."""
    name, value = credential_header(ask.shape, credential.auth, credential.in_shell)
    lines = [
        f"curl -sS -N {shlex.quote(ask.url)}",
        *([f"--cacert {shlex.quote(str(ca))}"] if ca else []),
        f'-H "{name}: {value}"',
        "-H 'content-type: application/json'",
        f"-d {shlex.quote(json.dumps(ask.body, ensure_ascii=False))}",
    ]
    return " \\\n  ".join(lines)


def python(ask: Ask, credential: Credential) -> str:
    """The program that asks the same with the client that wants this shape."""
    writers = {"foundry": _foundry, "v1": _v1, "responses": _v1, "classic": _classic, "project": _project}
    imports, opened, asked = writers[ask.shape.name](ask, credential)
    packages = {"foundry": "azure-ai-inference", "project": "azure-ai-projects"}.get(ask.shape.name, "openai")
    needed = f"{packages} azure-identity" if credential.auth == "token" else packages
    heads = [f"# pip install {needed}", *(f"# first: {each}" for each in credential.before)]
    plain = sorted(each for each in {*imports, *credential.imports} if each.startswith("import "))
    named = sorted(each for each in {*imports, *credential.imports} if each.startswith("from "))
    stdlib = [each for each in named if each.startswith("from pathlib")]
    others = [each for each in named if each not in stdlib]
    groups = [heads, [*plain, *stdlib], others, [*opened, *asked]]
    return "\n\n".join("\n".join(group) for group in groups if group)


Written = tuple[list[str], list[str], list[str]]
"""Imports, how the client is opened, and what it is asked."""


def _foundry(ask: Ask, credential: Credential) -> Written:
    imports = ["from azure.ai.inference import ChatCompletionsClient"]
    given = credential.python
    if credential.auth == "key":
        imports.append("from azure.core.credentials import AzureKeyCredential")
        given = f"AzureKeyCredential({given})"
    else:
        imports.append(_IDENTITY)
    opened = [
        "client = ChatCompletionsClient(",
        f"{_INDENT}endpoint={_text(ask.address.base(ask.shape))},",
        f"{_INDENT}credential={given},",
        *([f"{_INDENT}credential_scopes=[{_text(ask.shape.scope)}],"] if credential.auth == "token" else []),
        f"{_INDENT}api_version={_text(ask.version or '')},",
        ")",
    ]
    return imports, opened, _asked("client.complete", ask, _CHAT)


def _v1(ask: Ask, credential: Credential) -> Written:
    imports, given = _openai_credential(ask, credential)
    opened = [
        f"client = OpenAI(base_url={_text(ask.address.base(ask.shape))}, api_key={given}"
        + (f', default_query={{"api-version": {_text(ask.version)}}}' if ask.version else "")
        + ")"
    ]
    return ["from openai import OpenAI", *imports], opened, _with_openai(ask)


def _classic(ask: Ask, credential: Credential) -> Written:
    imports, given = _openai_credential(ask, credential)
    parameter = "azure_ad_token_provider" if credential.auth == "token" else "api_key"
    opened = [
        "client = AzureOpenAI(",
        f"{_INDENT}azure_endpoint={_text(ask.address.base(ask.shape))},",
        f"{_INDENT}api_version={_text(ask.version or '')},",
        f"{_INDENT}{parameter}={given},",
        ")",
    ]
    return ["from openai import AzureOpenAI", *imports], opened, _with_openai(ask)


def _project(ask: Ask, credential: Credential) -> Written:
    imports = ["from azure.ai.projects import AIProjectClient", _IDENTITY]
    opened = [
        f"project = AIProjectClient({_text(ask.address.base(ask.shape))}, {credential.python})",
        "client = project.get_openai_client()",
    ]
    return imports, opened, _with_openai(ask)


def _openai_credential(ask: Ask, credential: Credential) -> tuple[list[str], str]:
    if credential.auth == "key":
        return [], credential.python
    return (
        ["from azure.identity import DefaultAzureCredential, get_bearer_token_provider"],
        f"get_bearer_token_provider({credential.python}, {_text(ask.shape.scope)})",
    )


_CHAT: Final = (
    (
        "for chunk in answer:",
        '    print(chunk.choices[0].delta.content or "" if chunk.choices else "", end="", flush=True)',
    ),
    ("print(answer.choices[0].message.content)",),
)
_RESPONSES: Final = (
    (
        "for event in answer:",
        '    if event.type == "response.output_text.delta":',
        '        print(event.delta, end="", flush=True)',
    ),
    ("print(answer.output_text)",),
)


def _with_openai(ask: Ask) -> list[str]:
    if ask.shape.dialect == "responses":
        return _asked("client.responses.create", ask, _RESPONSES)
    return _asked("client.chat.completions.create", ask, _CHAT)


def _asked(call: str, ask: Ask, printed: tuple[tuple[str, ...], tuple[str, ...]]) -> list[str]:
    """The call, whose arguments are the body's members; the path's deployment is the argument `model`."""
    members = {"model": ask.deployment, **ask.body}
    arguments = [f"{_INDENT}{name}={_literal(value)}," for name, value in members.items()]
    streamed, whole = printed
    return [f"answer = {call}(", *arguments, ")", *((*streamed, "print()") if ask.body.get("stream") else whole)]


def _literal(value: object) -> str:
    """JSON as Python writes it, with double quotes."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return "[" + ", ".join(_literal(each) for each in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_text(name)}: {_literal(each)}" for name, each in value.items()) + "}"
    return repr(value)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
