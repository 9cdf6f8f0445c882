"""Every part there is, in the order in which they run."""

from collections.abc import Mapping

from bench.faults import (
    clocks,
    deaths,
    departures,
    failover,
    fairness,
    growth,
    idle_streams,
    limits,
    overload,
    slow_clients,
    storm,
    upstream_faults,
)
from bench.faults.figures import Part

PARTS: Mapping[str, Part] = {
    "limits": limits.PART,
    "storm": storm.PART,
    "deaths": deaths.PART,
    "departures": departures.PART,
    "failover": failover.PART,
    "upstream_faults": upstream_faults.PART,
    "slow_clients": slow_clients.PART,
    "overload": overload.PART,
    "fairness": fairness.PART,
    "idle_streams": idle_streams.PART,
    "clocks": clocks.PART,
    "growth": growth.PART,
}
