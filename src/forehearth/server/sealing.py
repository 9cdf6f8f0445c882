"""Seals what callers hand over for as long as a response waits, under a key made of the installation's pepper.

It is no key of `keys/encryption`: those can be exchanged while something waits, and a store that servers share need not
have one. The pepper is there always, and the same for all servers of a store.
"""

import hashlib
import secrets
from typing import Final

from forehearth.connections.sealing import KEY_BYTES, AeadSealer
from forehearth.ports.sealer import Sealer
from forehearth.server.encryption_keys import GivenKeys

_PURPOSE: Final = b"seal-of-callers"


def sealer_of_callers(pepper: bytes) -> Sealer:
    """The one of an installation."""
    key = hashlib.blake2b(key=pepper, digest_size=KEY_BYTES, person=_PURPOSE).digest()
    return AeadSealer(GivenKeys([key]), secrets.token_bytes)
