"""What a connection does that cannot be seen, or not for certain, from the other end."""

from forehearth.http.connection import GONE, IDLE_WHILE_DRAINING
from forehearth.http.protocol import SENT_AHEAD
from tests.http_toys import WHOLE, get, post
from tests.unit.http.memory import Memory, settle, statuses


async def test_requests_sent_ahead_are_not_read_past_a_bound():
    protocol, transport = (memory := Memory(WHOLE)).connect()
    protocol.data_received(post("/call/number?0") + b"x" * SENT_AHEAD)
    assert transport.reading
    protocol.data_received(b"x")
    assert not transport.reading
    await settle(20)
    assert memory.toy.seen["calls"] == 1
    assert statuses(transport.written) == [200, 400]


async def test_reading_goes_on_when_the_answer_is_there():
    protocol, transport = Memory(WHOLE).connect()
    protocol.data_received(post("/call/echo"))
    protocol.data_received(post("/call/echo", b"y" * SENT_AHEAD)[:-1])
    assert not transport.reading
    await settle(20)
    assert transport.reading
    protocol.data_received(b"y")
    await settle(20)
    assert statuses(transport.written) == [200, 200]


async def test_the_application_hears_that_the_rest_of_a_refused_body_never_comes():
    memory = Memory(WHOLE)
    protocol, transport = memory.connect()
    protocol.data_received(post("/app/echo").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked"))
    await settle()
    assert len(memory.border.tasks) == 1
    protocol.data_received(b"broken")
    await settle()
    assert statuses(transport.written) == [400]
    assert not memory.border.tasks


async def test_a_stream_from_before_the_end_leaves_a_moment_for_the_next_request():
    memory = Memory(WHOLE)
    protocol, transport = memory.connect()
    protocol.data_received(post("/call/stream?1,5,"))
    await settle(2)
    memory.border.draining = True
    protocol.shutdown()
    await settle(20)
    assert transport.written.endswith(b"0\r\n\r\n")
    assert b"connection: close" not in transport.written
    now = protocol.loop.time()
    protocol.tick(now + IDLE_WHILE_DRAINING / 2)
    assert protocol.phase != GONE
    protocol.tick(now + IDLE_WHILE_DRAINING * 1.5)
    assert protocol.phase == GONE


async def test_a_call_that_is_cancelled_from_inside_ends_its_connection():
    memory = Memory(WHOLE)
    protocol, transport = memory.connect()
    protocol.data_received(post("/call/wait"))
    await settle()
    assert protocol.task is not None
    protocol.task.cancel()
    await settle()
    assert transport.aborted
    assert memory.toy.seen["cancelled"] == 1


async def test_a_task_a_call_and_none_is_left():
    memory = Memory(WHOLE)
    protocol, _ = memory.connect()
    for _ in range(3):
        protocol.data_received(post("/call/echo", b"x") + get("/app/x"))
        await settle(20)
    assert protocol.task is None
    assert protocol.cycle is None
    assert not memory.border.tasks
