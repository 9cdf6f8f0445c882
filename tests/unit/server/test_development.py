"""The development issuer of an installation: opened where it is asked for, its secrets told to the log first."""

from types import SimpleNamespace
from typing import cast

import pytest

from forehearth.core.settings import Settings
from forehearth.identity.development.installation import stored
from forehearth.server.context import WorkerContext
from forehearth.server.data_directory import open_data_directory
from forehearth.server.development import open_development_issuer
from forehearth.telemetry.redaction import MASK, Redactor
from forehearth.testing.clock import VirtualClock


@pytest.mark.parametrize("is_new", [True, False])
def test_its_secrets_are_known_to_the_log(tmp_path, is_new):
    data, redactors = open_data_directory(tmp_path / "data"), (Redactor(), Redactor())
    for redactor in redactors:
        context = SimpleNamespace(
            development_issuer=True, settings=Settings(), data=data, listeners=(), conceal=redactor.register
        )
        assert open_development_issuer(cast("WorkerContext", context), VirtualClock()) is not None
    installation = stored(data.keys)
    assert installation is not None
    redactor = redactors[0 if is_new else 1]
    for secret in (installation.secret, installation.key):
        assert redactor.redact(f"with {secret.reveal()}") == f"with {MASK}"
    assert redactor.redact(f"{installation.secret.reveal()!r}") == f"'{MASK}'"


def test_there_is_none_unless_it_is_asked_for(tmp_path):
    data = open_data_directory(tmp_path / "data")
    context = SimpleNamespace(development_issuer=False, data=data)
    assert open_development_issuer(cast("WorkerContext", context), VirtualClock()) is None
    assert list(data.keys.iterdir()) == []
