"""Keys for tests: a pepper, records of known texts, and a ring that knows them."""

from typing import Any

from forehearth.core.exchange import Head
from forehearth.core.secret import Secret
from forehearth.identity.key_records import Digester, KeyRecord, KeySecret
from forehearth.identity.keys import KeyRing

PEPPER = b"p" * 32
RESOURCE = "here"
OTHER = "there"
DEVELOPMENT = "fh-development-0123456789"
NOW = 1_800_000_000


def secret(text: str, **rest: Any) -> KeySecret:
    """What is kept of one text."""
    digest = Digester(PEPPER)(text.encode()).hex()
    return KeySecret(**{"id": f"secret-{text[:2]}", "digest": digest, "hint": text[-4:], "created": NOW} | rest)


def record(*texts: str | KeySecret, **rest: Any) -> KeyRecord:
    """A key with these texts; the rest is its scope."""
    secrets = tuple(secret(each) if isinstance(each, str) else each for each in texts)
    return KeyRecord(**{"id": "key-1", "name": "shop", "resource": RESOURCE, "created": NOW, "secrets": secrets} | rest)


PRODUCTS = {RESOURCE: {"gold": None, "lab": frozenset({"small", "tiny"})}}


def ring(*records: KeyRecord, pepper: bytes = PEPPER) -> KeyRing:
    """A ring that knows these, and the development key."""
    made = KeyRing(pepper, development=Secret(DEVELOPMENT), resources=[RESOURCE, OTHER], products=PRODUCTS)
    made.replace(records)
    return made


def head(key: str | bytes = "", *, client: str = "", **headers: bytes) -> Head:
    """A head with `key` as `api-key` and these headers, whose names have `_` for `-`."""
    fields = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    if key:
        fields[b"api-key"] = key.encode() if isinstance(key, str) else key
    return Head(method=b"POST", raw_path=b"/openai/v1/chat/completions", headers=fields, client=client)
