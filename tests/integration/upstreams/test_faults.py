"""Every fault of a host once, whole and streamed: what the caller is told. `make soak` has all surfaces, and more."""

from concurrent.futures import ThreadPoolExecutor

from tests.conftest import StartForehearth
from tests.soak.background import in_a_thread
from tests.soak.faults import FAULTS
from tests.soak.faulty_hosts import FaultyHosts, configuration
from tests.soak.verdicts import outcome
from tests.soak.watching import metric, until

AT_ONCE = 16


def test_every_fault_once(start_forehearth: StartForehearth) -> None:
    cells = [(name, stream) for stream in (False, True) for name in FAULTS]
    with in_a_thread(FaultyHosts()) as hosts, ThreadPoolExecutor(AT_ONCE) as pool:
        server = start_forehearth(configuration(hosts))
        found = pool.map(lambda at: outcome(server, at[0], FAULTS[at[0]], "v1", stream=at[1]), cells)
        complaints = [(at, each) for at, came in zip(cells, found, strict=True) for each in came.complaints]
        wrong = [f"{at}: {each.kind}: {each.what}" for at, each in complaints if each.kind != "late"]
        assert not wrong, "\n".join(wrong)
        fired = {name: host.fired[name] for name, host in hosts.hosts.items() if name in FAULTS}
        assert min(fired.values()) >= len(cells) / len(FAULTS), fired
        assert until(lambda: metric(server.url, "forehearth_in_flight") == 0)
