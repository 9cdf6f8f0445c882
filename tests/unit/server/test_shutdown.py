import asyncio

from forehearth.server.shutdown import NOTICE_SECONDS, Shutdown


async def test_a_short_grace_closes_at_once_and_cuts_after_it():
    shutdown = Shutdown()
    assert not shutdown.begun.is_set()
    shutdown.begin(0.01)
    assert shutdown.begun.is_set()
    assert not shutdown.overdue.is_set()
    await asyncio.wait_for(shutdown.closing.wait(), 5)
    await asyncio.wait_for(shutdown.overdue.wait(), 5)


async def test_a_long_grace_begins_with_a_notice():
    shutdown = Shutdown()
    loop = asyncio.get_running_loop()
    began = loop.time()
    shutdown.begin(30)
    await asyncio.sleep(0)
    assert not shutdown.closing.is_set()
    await asyncio.wait_for(shutdown.closing.wait(), 10)
    assert loop.time() - began >= NOTICE_SECONDS
    assert not shutdown.overdue.is_set()


async def test_a_shorter_grace_wins_and_a_longer_one_does_not():
    shutdown = Shutdown()
    shutdown.begin(30)
    shutdown.begin(0.01)
    shutdown.begin(60)
    await asyncio.wait_for(shutdown.closing.wait(), 0.5)
    await asyncio.wait_for(shutdown.overdue.wait(), 5)
