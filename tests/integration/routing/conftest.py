"""Figures, for who reads the output: `pytest -s`."""

from collections.abc import Callable

import pytest

Tell = Callable[..., None]


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Tell:
    """Print figures by name."""

    def told(**figures: object) -> None:
        said = ", ".join(
            f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in figures.items()
        )
        print(f"\n{request.node.name}: {said}")  # noqa: T201 - the figures are what the test is for

    return told
