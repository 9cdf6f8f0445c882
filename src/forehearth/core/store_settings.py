"""The key `store` of the configuration: where keys, the audit log and all else that lasts is kept."""

import base64
import re
from typing import Annotated

import msgspec

from forehearth.core.secret import Secret
from forehearth.core.settings_types import Unfit, Values

PEPPER_BYTES = 32
_ADDRESS = re.compile(r"postgres(ql)?://([^@/?#]*@)?[^@/?#]*/[^@/?#]+(\?[^#]*)?")
_MAKE_A_KEY = "make one with 'head -c 32 /dev/urandom | base64'"
_MAKE_ONE = "make one with 'head -c 32 /dev/urandom | base64', or take keys/pepper of a data directory"


class StoreSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where keys, the audit log and all else that lasts is kept: in the data directory, unless said otherwise."""

    postgres: Secret | None = None
    """PostgreSQL, for servers on several machines: `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`. Needs `pepper`, and
    `pip install 'forehearth[postgres]'`."""
    connections: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 8
    """Connections to PostgreSQL that a worker has open, at most."""
    pepper: Secret | None = None
    """What keys are hashed with, the same for all who share a store: 32 bytes in base64. Without it, one is made, and
    kept in the data directory."""
    encryption_keys: list[Secret] = []
    """What credentials of connections are encrypted with before they are kept, the same for all who share a store: each
    32 bytes in base64. The first one encrypts, all of them decrypt. Without any, one is made, and kept in the data
    directory; with `postgres`, none is."""

    def __post_init__(self) -> None:
        if self.postgres is not None and not _ADDRESS.fullmatch(self.postgres.reveal()):
            raise Unfit(
                "the secret is not the address of a PostgreSQL database",
                member="postgres",
                hint="write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with @ / # and ? in the password as "
                "%40 %2F %23 and %3F",
            )
        if self.postgres is not None and self.pepper is None:
            raise Unfit(
                "servers that share a store have to hash keys with the same secret",
                member="postgres",
                hint=f"add the key pepper beside it; {_MAKE_ONE}",
            )
        if self.pepper is not None:
            try:
                decoded(self.pepper.reveal())
            except ValueError as error:
                raise Unfit(str(error), member="pepper", hint=_MAKE_ONE) from None
        for each in self.encryption_keys:
            try:
                decoded(each.reveal())
            except ValueError as error:
                raise Unfit(str(error), member="encryption_keys", hint=_MAKE_A_KEY) from None


def decoded(text: str) -> bytes:
    """The secret that is written as this, in either alphabet of base64. Raises `ValueError` where it is none."""
    try:
        found = base64.b64decode(text.strip().translate({ord("-"): "+", ord("_"): "/"}), validate=True)
    except ValueError:
        found = b""
    if len(found) != PEPPER_BYTES:
        raise ValueError(f"the secret is not {PEPPER_BYTES} bytes in base64")
    return found
