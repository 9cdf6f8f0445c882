"""Opens the development issuer of this installation, where it is asked for."""

import importlib
import secrets
from collections.abc import Sequence

import msgspec

from forehearth.core.clock import Clock
from forehearth.core.identity_settings import AssignmentSettings
from forehearth.core.ids import request_ids
from forehearth.core.issuers import DEVELOPMENT
from forehearth.identity.development.installation import ensure
from forehearth.identity.development.issuer import NOWHERE, SIGNING, DevelopmentIssuer
from forehearth.server.context import WorkerContext
from forehearth.server.data_directory import write_private
from forehearth.server.listening import Listener


def open_development_issuer(context: WorkerContext, clock: Clock) -> DevelopmentIssuer | None:
    """The issuer, with what it keeps in the data directory made where it is not there; None unless asked for."""
    if not context.development_issuer:
        return None
    installation = ensure(context.data.keys, write_private, importlib.import_module(SIGNING).new_signing_key)
    context.conceal(installation.secret, installation.key)
    return DevelopmentIssuer(
        context.settings.identity.development,
        installation,
        base=_secure_base(context.listeners),
        clock=clock,
        new_id=request_ids(secrets.randbits(128), clock),
    )


def assignments(issuer: DevelopmentIssuer) -> tuple[AssignmentSettings, ...]:
    """What its people may do without any configuration, as long as their tokens are this issuer's."""
    return tuple(msgspec.structs.replace(each, issuer=DEVELOPMENT) for each in issuer.assignments)


def _secure_base(listeners: Sequence[Listener]) -> str:
    """Where clients ask it, who insist on https; nowhere when none is spoken."""
    port = next((each.port for each in listeners if each.tls), None)
    return f"https://localhost:{port}" if port is not None else NOWHERE
