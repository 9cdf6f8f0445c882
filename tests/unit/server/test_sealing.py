"""What callers hand over is sealed by the installation's pepper: any server of the store opens it, and nobody else."""

import pytest

from forehearth.core.sealed import Unsealable
from forehearth.server.sealing import sealer_of_callers


def test_what_one_server_sealed_another_one_opens():
    sealed = sealer_of_callers(b"p" * 32).seal(b"secret" * 4, b"a")
    assert sealer_of_callers(b"p" * 32).open(sealed, b"a") == b"secret" * 4
    assert b"secret" not in sealed.text


@pytest.mark.parametrize(("pepper", "context"), [(b"q" * 32, b"a"), (b"p" * 32, b"b")])
def test_another_installation_does_not_and_nothing_else_is_meant(pepper, context):
    sealed = sealer_of_callers(b"p" * 32).seal(b"secret", b"a")
    with pytest.raises(Unsealable):
        sealer_of_callers(pepper).open(sealed, context)
