"""Who plays in these tests: an issuer with two people, an application with a secret and a managed identity."""

import random
from typing import Any

from forehearth.core.identity_settings import (
    DevelopmentApplicationSettings,
    DevelopmentIssuerSettings,
    DevelopmentUserSettings,
)
from forehearth.core.secret import Secret
from forehearth.identity.development.installation import Installation
from forehearth.identity.development.issuer import DevelopmentIssuer
from forehearth.identity.development.signing import new_signing_key
from forehearth.testing.clock import VirtualClock

APPLICATION = "aaaaaaaa-0000-4000-8000-000000000001"
MACHINE = "aaaaaaaa-0000-4000-8000-000000000002"
MARIA = "bbbbbbbb-0000-4000-8000-000000000001"
GROUP = "cccccccc-0000-4000-8000-000000000001"
TENANT = "dddddddd-0000-4000-8000-000000000001"
CLIENT_SECRET = "an application's secret, of the tests"
INSTALLATION = Installation(
    tenant=TENANT, secret=Secret("the secret of an installation"), key=Secret(new_signing_key().decode())
)
"""Made once: a key takes a moment."""
SETTINGS = DevelopmentIssuerSettings(
    users={"maria": DevelopmentUserSettings(id=MARIA, groups=(GROUP,), roles=("Painter",))},
    applications={
        "robot": DevelopmentApplicationSettings(
            client_id=APPLICATION, secret=Secret(CLIENT_SECRET), roles=("Machinist",)
        ),
        "machine": DevelopmentApplicationSettings(client_id=MACHINE),
    },
)


class Numbered:
    """Ids that differ, and random bytes that do not repeat."""

    def __init__(self) -> None:
        self.count = 0
        self._random = random.Random(1)

    def new_id(self) -> str:
        self.count += 1
        return f"00000000-0000-4000-8000-{self.count:012d}"

    def random_bytes(self, size: int) -> bytes:
        return self._random.randbytes(size)


def make_issuer(
    clock: VirtualClock | None = None,
    settings: DevelopmentIssuerSettings = SETTINGS,
    installation: Installation = INSTALLATION,
    **options: Any,
) -> DevelopmentIssuer:
    """An issuer on a clock of the test's own."""
    numbered = Numbered()
    given: dict[str, Any] = {"new_id": numbered.new_id, "random_bytes": numbered.random_bytes} | options
    return DevelopmentIssuer(settings, installation, clock=clock or VirtualClock(), **given)
