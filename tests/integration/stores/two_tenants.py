"""One store with documents and keys of two tenants in it, and whatever may happen to them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import pytest

from forehearth.ports.documents import DocumentStore
from forehearth.stores.memory import MemoryDocuments
from tests.integration.stores.conftest import empty_place
from tests.integration.stores.document_rules import DocumentRules
from tests.integration.stores.key_rules import KeyRules
from tests.integration.stores.machine import OpenStore, run_machine
from tests.integration.stores.opened import opened

USUAL = (
    "Conflict",
    "NotFound",
    "InvalidField",
    "PreconditionFailed",
    "created",
    "several at once",
    "an expired one gave way",
    "replaced",
    "deleted",
    "swept",
    "a page with more",
    "a page between two",
    "several pages",
    "a key was given a secret",
    "an older secret goes on",
    "a secret was ended",
    "a key was ended",
    "several pages of keys",
    "another worker knows older keys",
    "let in",
    "kept out",
)
"""What has to happen in a run of many examples, or it tries less than it says."""
MANY = 200


class TwoTenants(DocumentRules, KeyRules):
    """A store with everything in it."""


def _opener(kind: str, request: pytest.FixtureRequest, folder: Path) -> OpenStore:
    """Opens a store of a kind, each time an empty one."""
    numbers = count()

    @asynccontextmanager
    async def open_store() -> AsyncIterator[DocumentStore]:
        if kind == "memory":
            yield MemoryDocuments()
            return
        own = folder / str(next(numbers))
        own.mkdir()
        async with opened(empty_place(kind, request, own)) as (documents, _):
            yield documents

    return open_store


def let_happen(kind: str, examples: int, request: pytest.FixtureRequest, folder: Path) -> None:
    """Let so many examples happen in a store of that kind, each in an empty one."""
    seen = run_machine(TwoTenants, _opener(kind, request, folder), examples=examples, in_memory=kind == "memory")
    assert examples < MANY or [each for each in USUAL if not seen[each]] == []
