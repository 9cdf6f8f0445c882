"""Every part there is, in the order in which they run."""

from collections.abc import Mapping

from bench.faults import deaths, departures, failover, idle_streams, limits, storm
from bench.faults.figures import Part

PARTS: Mapping[str, Part] = {
    "limits": limits.PART,
    "storm": storm.PART,
    "deaths": deaths.PART,
    "departures": departures.PART,
    "failover": failover.PART,
    "idle_streams": idle_streams.PART,
}
