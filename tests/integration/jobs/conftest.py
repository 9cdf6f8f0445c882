"""The stores that several processes may have, and figures for who reads the output: `pytest -s`."""

from tests.integration.routing.conftest import tell
from tests.integration.stores.conftest import database, place

__all__ = ["database", "place", "tell"]
