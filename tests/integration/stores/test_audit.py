"""The audit log: appended to, read, and shortened at its old end; nothing else."""

import msgspec
import pytest

from forehearth.core.audit import AuditQuery, AuditRecord


def record(at, **rest):
    given = {
        "request_id": f"r{at}",
        "resource": "here",
        "actor": "somebody",
        "actor_kind": "key",
        "action": "keys.create",
        "allowed": True,
        "status": 201,
    } | rest
    return AuditRecord(at=float(at), **given)


async def test_records_come_back_whole_the_newest_first(stores):
    given = [record(1, target="t", project="p", detail="ü"), record(2, allowed=False, status=403)]
    await stores.audit.append(given)
    await stores.audit.append([record(3)])
    found = await stores.audit.page(AuditQuery())
    assert [each.at for each in found] == [3, 2, 1]
    assert [msgspec.structs.replace(each, sequence=0) for each in found[1:]] == given[::-1]
    assert found[0].sequence > found[1].sequence > found[2].sequence


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"actor": "else"}, [2]),
        ({"action": "keys.revoke"}, [3]),
        ({"resource": "there"}, [4]),
        ({"since": 3.0}, [4, 3]),
        ({"limit": 1}, [4]),
        ({"actor": "' OR 1=1 --"}, []),
    ],
)
async def test_records_are_chosen(stores, asked, found):
    await stores.audit.append(
        [record(1), record(2, actor="else"), record(3, action="keys.revoke"), record(4, resource="there")]
    )
    assert [each.at for each in await stores.audit.page(AuditQuery(**asked))] == found


async def test_pages_follow_each_other(stores):
    await stores.audit.append([record(at) for at in range(5)])
    first = await stores.audit.page(AuditQuery(limit=2))
    second = await stores.audit.page(AuditQuery(limit=2, before=first[-1].sequence))
    assert [each.at for each in (*first, *second)] == [4, 3, 2, 1]


async def test_what_is_too_old_is_removed(stores):
    await stores.audit.append([record(at) for at in range(5)])
    assert await stores.audit.prune(3.0) == 3
    assert [each.at for each in await stores.audit.page(AuditQuery())] == [4, 3]
    await stores.audit.append([record(9)])
    assert [each.at for each in await stores.audit.page(AuditQuery(limit=1))] == [9]


async def test_much_that_is_too_old_is_removed_whole(stores):
    many = [record(at % 7) for at in range(10_050)]
    await stores.audit.append([*many, record(9)])
    await stores.audit.append([])
    found = await stores.audit.page(AuditQuery(limit=20_000))
    assert [each.at for each in found] == [9, *(each.at for each in reversed(many))]
    assert await stores.audit.prune(8.0) == len(many)
    assert await stores.audit.prune(8.0) == 0
    assert len(await stores.audit.page(AuditQuery())) == 1
