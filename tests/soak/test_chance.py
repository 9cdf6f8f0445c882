"""Documents and keys of two tenants in one store, as in `tests/integration/stores/test_chance.py`, and far longer."""

from pathlib import Path

import pytest

from tests.integration.stores.conftest import database  # noqa: F401 - a fixture that a store asks for
from tests.integration.stores.two_tenants import let_happen
from tests.soak.length import part


@pytest.mark.parametrize(("kind", "examples"), [("memory", 5_000), ("sqlite", 500), ("postgres", 200)])
def test_whatever_happens_it_is_as_the_model_says(
    kind: str, examples: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    let_happen(kind, part(examples), request, tmp_path)
