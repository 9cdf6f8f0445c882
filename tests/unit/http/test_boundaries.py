"""A connection's verdict does not depend on where the network cut its bytes."""

import pytest

from forehearth.http.connection import GONE, LINGER
from tests.conformance.http.hostile import APP, CALL, cases, name, request
from tests.http_toys import WHOLE
from tests.unit.http.memory import Memory, settle, statuses

SHORT = 700
CASES = [case for case in cases() if "on" not in case and len(request(case)) <= SHORT]
FAMILIES = sorted({case["family"] for case in CASES})


async def verdict(memory: Memory, *parts: bytes) -> tuple[list[int], bool, bytes]:
    """Statuses, whether the connection is ended, and the bodies that calls got."""
    memory.toy.bodies.clear()
    protocol, transport = memory.connect()
    for part in parts:
        if not transport.closed:
            protocol.data_received(part)
            await settle(3)
    await settle(30)
    found = statuses(transport.written), protocol.phase in {LINGER, GONE}, b"|".join(memory.toy.bodies)
    transport.close()
    await settle()
    return found


@pytest.mark.parametrize("family", FAMILIES)
async def test_cut_in_two_at_every_place(family):
    memory = Memory(WHOLE)
    for case in (case for case in CASES if case["family"] == family):
        for data in (request(case), request(case).replace(CALL, APP)):
            whole = await verdict(memory, data)
            assert whole[:2] == (case["expect"], case["closed"]), name(case)
            for cut in range(1, len(data)):
                assert await verdict(memory, data[:cut], data[cut:]) == whole, (name(case), data[:cut])


@pytest.mark.parametrize("family", FAMILIES)
async def test_byte_by_byte(family):
    memory = Memory(WHOLE)
    for case in (case for case in CASES if case["family"] == family):
        data = request(case)
        whole = await verdict(memory, data)
        assert await verdict(memory, *(data[at : at + 1] for at in range(len(data)))) == whole, name(case)


async def test_nothing_is_left_of_connections_that_ended():
    memory = Memory(WHOLE)
    for case in CASES[:50]:
        await verdict(memory, request(case))
    assert not memory.border.open
    assert not memory.border.connections
    assert not memory.border.tasks
