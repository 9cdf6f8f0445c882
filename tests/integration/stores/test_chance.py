"""Documents and keys of two tenants in one store, in whatever order they come: thousands of steps beside a model.

`tests/soak/test_chance.py` has more of them.
"""

from pathlib import Path

import pytest

from tests.integration.stores.two_tenants import let_happen


@pytest.mark.parametrize(("kind", "examples"), [("memory", 200), ("sqlite", 20), ("postgres", 10)])
def test_whatever_happens_it_is_as_the_model_says(
    kind: str, examples: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    let_happen(kind, examples, request, tmp_path)
