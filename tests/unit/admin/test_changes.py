"""What callers change is in the audit log before it is answered, and is answered where that cannot be written."""

import pytest

from forehearth.admin.audit import Audit
from forehearth.admin.changes import Changes
from forehearth.core.audit import AuditQuery
from forehearth.core.change import Change
from forehearth.core.place import Place
from forehearth.core.principal import Principal
from forehearth.testing.clock import VirtualClock
from tests.unit.admin.offices import Away, TestOffice

MADE = Change(
    request_id="r",
    place=Place(resource="here", project="sales"),
    operation="projects.agents_create",
    principal=Principal(name="maria", kind="user", id="oid-1"),
    target="greeter",
    status=200,
)


async def test_who_did_what_to_which_thing():
    async with TestOffice() as office:
        changes = Changes(office.clock)
        async with changes.recorded_in(office.audit):
            await changes.made(MADE)
            (record,) = await office.log.page(AuditQuery())
    assert (record.actor, record.actor_kind, record.action, record.target) == (
        "maria",
        "user",
        "projects.agents_create",
        "greeter",
    )
    assert (record.resource, record.project, record.status, record.allowed) == ("here", "sales", 200, True)
    assert (record.request_id, record.detail) == ("r", "by oid-1")


async def test_what_is_done_is_answered_though_the_log_is_away_and_waits_for_it():
    clock = VirtualClock()
    changes = Changes(clock, patience=0.01)
    async with Audit(Away(), clock, sleep=clock.sleep, last_seconds=0.01) as audit, changes.recorded_in(audit):
        await changes.made(MADE)
        assert audit.waiting == 1


@pytest.mark.parametrize("name", ["", "maria"])
async def test_an_id_that_says_no_more_is_not_repeated(name):
    async with TestOffice() as office:
        changes = Changes(office.clock)
        async with changes.recorded_in(office.audit):
            await changes.made(Change(**(vars_of(MADE) | {"principal": Principal(name="maria", kind="key", id=name)})))
            (record,) = await office.log.page(AuditQuery())
    assert record.detail == ""


def vars_of(change):
    return {name: getattr(change, name) for name in change.__struct_fields__}
