"""The development key: the one credential that an installation has before anybody configured one."""

import secrets
import stat

import msgspec

from forehearth.core.errors import Misconfigured
from forehearth.core.secret import Secret
from forehearth.server.data_directory import DataDirectory, write_private

MINIMUM_LENGTH = 16
MINIMUM_DISTINCT = 5
"""Fewer different characters than this is a pattern, not a key."""

WELL_KNOWN = (
    "changeme",
    "yourapikey",
    "yourkey",
    "yoursecret",
    "yourazure",
    "youropenai",
    "apikeyhere",
    "keyhere",
    "insertkey",
    "replaceme",
    "placeholder",
    "password",
    "secretkey",
    "notneeded",
    "notused",
    "notarealkey",
    "dummykey",
    "fakekey",
    "1234567890",
    "0123456789",
    "123456789abc",
    "abcdefghijkl",
    "qwertyuiop",
    "deadbeefdeadbeef",
)
"""What a key must not contain, written without case and punctuation: everybody who guesses tries these first."""


class DevelopmentKey(msgspec.Struct, frozen=True, kw_only=True):
    """The key, and whether it lies in the data directory or came with the environment."""

    secret: Secret
    stored: bool


def development_key(data: DataDirectory, given: str | None) -> DevelopmentKey:
    """The key `given` by the environment, else the stored one, else a new one that is stored. Call it under the lock.

    Raises `Misconfigured`, with the reason and never with the key, when the key is too weak or its file is readable
    by others.
    """
    if given:
        check_strength(given, "FOREHEARTH_API_KEY")
        return DevelopmentKey(secret=Secret(given), stored=False)
    stored = stored_key(data)
    if stored is None:
        stored = Secret(f"fh-{secrets.token_urlsafe(30)}")
        write_private(data.keys / "development", f"{stored.reveal()}\n".encode("ascii"))
    check_strength(stored.reveal(), str(data.keys / "development"))
    return DevelopmentKey(secret=stored, stored=True)


def stored_key(data: DataDirectory) -> Secret | None:
    """The key in the data directory; None when there is none. Raises `Misconfigured` when others can read it."""
    path = data.keys / "development"
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise Misconfigured(f"{path} can be read by others (mode {mode:04o}): run `chmod 600 {path}`")
        return Secret(path.read_text(encoding="utf-8").strip())
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"the development key {path} cannot be read: {error}") from error


def check_strength(key: str, source: str) -> None:
    """Refuse a key that is short, cannot be sent in a header, or is one that everybody knows.

    Raises `Misconfigured`; its message names `source` and the reason, never the key.
    """
    reason = _weakness(key)
    if reason:
        raise Misconfigured(
            f"{source} is refused as a key: {reason}; unset it to have one generated, "
            'or make one with `python3 -c "import secrets; print(secrets.token_urlsafe(30))"`'
        )


def _weakness(key: str) -> str:
    if len(key) < MINIMUM_LENGTH:
        return f"it is shorter than {MINIMUM_LENGTH} characters"
    if not all("!" <= character <= "~" for character in key):
        return "it has characters other than visible ASCII"
    plain = "".join(character for character in key.lower() if character.isalnum())
    if len(set(plain)) < MINIMUM_DISTINCT or _repeats(plain):
        return "it is a few characters repeated"
    if any(known in plain for known in WELL_KNOWN):
        return "it is a well-known value"
    return ""


def _repeats(text: str) -> bool:
    """Whether the text is one short piece, three times or more."""
    return any((text[:size] * len(text)).startswith(text) for size in range(1, len(text) // 3 + 1))
