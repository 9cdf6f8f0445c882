"""Whoever is shown a secret is in the audit log before that; where it cannot be written nothing is shown."""

import pytest

from forehearth.admin.audit import Audit
from forehearth.admin.disclosures import Disclosures
from forehearth.core.audit import AuditQuery
from forehearth.core.disclosure import Disclosure
from forehearth.core.errors import Overloaded
from forehearth.core.place import Place
from forehearth.core.principal import Principal
from forehearth.stores.memory import MemoryAudit
from forehearth.testing.clock import VirtualClock
from tests.unit.admin.offices import Away, TestOffice

SHOWN = Disclosure(
    request_id="r",
    place=Place(resource="here", project="sales"),
    operation="projects.connections_get_with_credentials",
    principal=Principal(name="maria", kind="user", id="oid-1"),
    target="search",
    detail="ApiKey of CognitiveSearch were shown",
)


async def test_it_is_written_before_anything_is_shown():
    async with TestOffice() as office:
        disclosures = Disclosures(office.clock)
        async with disclosures.recorded_in(office.audit):
            await disclosures.note(SHOWN)
            (record,) = await office.log.page(AuditQuery())
    assert (record.action, record.target, record.actor, record.actor_kind) == (
        "projects.connections_get_with_credentials",
        "search",
        "maria",
        "user",
    )
    assert (record.resource, record.project, record.status, record.allowed) == ("here", "sales", 200, True)
    assert record.detail == "by oid-1; ApiKey of CognitiveSearch were shown"


async def test_where_it_cannot_be_written_nothing_may_be_shown():
    clock = VirtualClock()
    disclosures = Disclosures(clock, patience=0.01)
    async with Audit(Away(), clock, sleep=clock.sleep, last_seconds=0.01) as audit, disclosures.recorded_in(audit):
        with pytest.raises(Overloaded, match="audit log"):
            await disclosures.note(SHOWN)


async def test_nor_before_the_log_is_open_or_after_it_was_closed():
    clock = VirtualClock()
    disclosures = Disclosures(clock)
    with pytest.raises(Overloaded):
        await disclosures.note(SHOWN)
    async with Audit(MemoryAudit(), clock, sleep=clock.sleep) as audit:
        async with disclosures.recorded_in(audit):
            await disclosures.note(SHOWN)
        with pytest.raises(Overloaded):
            await disclosures.note(SHOWN)
