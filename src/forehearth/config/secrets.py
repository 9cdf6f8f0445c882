"""Secrets of the configuration: where they may come from, and which ones a configuration holds.

The file names an environment variable or a file and never has the secret itself; what is said about one that cannot
be used never has it either.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from forehearth.config.nearest import nearest
from forehearth.core.secret import Secret

PATTERN: Final = r"^(\$\{[A-Za-z_][A-Za-z0-9_]*\}|file:.+)$"
"""How a secret is written in the file, for the JSON Schema."""

EXPECTED: Final = "a secret as ${NAME_OF_AN_ENVIRONMENT_VARIABLE} or file:PATH"

_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_OTHER_FORMS: Final = re.compile(r"\$\{?[A-Za-z_]|%[A-Za-z_]\w*%|\{\{|env[:.]|os\.environ")
_MOST_BYTES: Final = 65_536


class NoSecret(Exception):
    """A secret cannot be had. Neither message nor hint shows any of it."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def fetch(text: str, *, folder: Path, environ: Mapping[str, str]) -> Secret:
    """The secret that `text` refers to; a relative path is taken from `folder`. Raises `NoSecret`."""
    variable = _VARIABLE.fullmatch(text)
    if variable:
        return _of_variable(variable.group(1), environ)
    if text.startswith("file:"):
        return _of_file(text.removeprefix("file:").strip(), folder)
    if _OTHER_FORMS.match(text):
        raise NoSecret(
            f"expected {EXPECTED}, found another way to write it",
            "write ${NAME}, nothing before or after it; a name has letters, digits and '_'",
        )
    raise NoSecret(
        "a secret may not stand in this file",
        "put it in an environment variable and write ${NAME}, or in a file of its own and write file:PATH; "
        "if this file was shared or committed, replace the secret",
    )


def held(value: object) -> Iterator[Secret]:
    """Every secret in `value`: settings and what they are made of. For the log's redaction."""
    if isinstance(value, Secret):
        yield value
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from held(getattr(value, name))
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from held(each)
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            yield from held(each)


def _of_variable(name: str, environ: Mapping[str, str]) -> Secret:
    value = environ.get(name)
    if value is None:
        close = nearest(name, environ)
        hint = f"did you mean {close}, which is set?" if close else f"set it: export {name}=…"
        raise NoSecret(f"the environment variable {name} is not set", hint)
    return _usable(value, f"the environment variable {name}", f"set it: export {name}=…")


def _of_file(name: str, folder: Path) -> Secret:
    path = folder / name
    what = f"the file {path}"
    if not name:
        raise NoSecret(
            "there is no path after 'file:'", "write file:PATH; a relative path begins at this file's folder"
        )
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a path"
        raise NoSecret(
            f"{what} cannot be read: {reason}", "a relative path begins at the folder of the configuration file"
        ) from None
    if len(content) > _MOST_BYTES:
        raise NoSecret(f"{what} is too large for a secret", "it should hold the secret and nothing else")
    try:
        return _usable(content.decode(), what, "write the secret into it, in one line")
    except UnicodeDecodeError:
        raise NoSecret(f"{what} is not text", "it should hold the secret and nothing else") from None


def _usable(value: str, what: str, hint: str) -> Secret:
    line = value.removesuffix("\n").removesuffix("\r")
    if not line.strip():
        raise NoSecret(f"{what} is empty", hint)
    if not line.isascii() or not line.isprintable():
        raise NoSecret(
            f"{what} has a line break, a control character or a character outside ASCII, which no credential has",
            "it should hold the secret and nothing else",
        )
    if line != line.strip():
        raise NoSecret(f"{what} begins or ends with a space", "it should hold the secret and nothing else")
    return Secret(line)
