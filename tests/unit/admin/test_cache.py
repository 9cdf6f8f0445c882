"""What operators see of the caches of all workers, and what they empty."""

from typing import Any

import pytest

from forehearth.admin.cache import CacheOffice, chosen
from forehearth.caching.scope import Chosen
from forehearth.core.cache_state import CacheState
from forehearth.telemetry.cells import Sample, Series
from tests.unit.admin.offices import RESOURCE, TestOffice

STATE = CacheState(deployment="chat", label="here/chat", exact=True, semantic="on", entries=1, bytes=100)


def sample(metric: str, value: float, **labels: str) -> Sample:
    return Sample(Series(f"forehearth_cache_{metric}", tuple(labels.items())), value)


def office(*samples: Sample, **rest: Any) -> CacheOffice:
    async def purge(_: object) -> None:
        raise NotImplementedError

    return CacheOffice(states=lambda _: [STATE], samples=lambda: samples, purge=purge)


def test_the_figures_are_of_all_workers_and_of_the_deployment_alone():
    lookups = [("exact", 2), ("exact", 1), ("semantic", 3), ("shadow", 4), ("miss", 10), ("bypass", 5)]
    samples = [sample("lookups_total", value, deployment="here/chat", outcome=name) for name, value in lookups]
    samples += [sample("lookups_total", 99, deployment="chat", outcome="exact")]
    samples += [sample("entries", value, worker=str(value), deployment="here/chat") for value in (7, 8)]
    samples += [sample("bytes", 50, worker="0", deployment="here/chat")]
    samples += [sample("refused_total", 1, deployment="here/chat", difference=each) for each in ("numbers", "words")]
    (found,) = office(*samples).figures(RESOURCE)
    assert (found.exact, found.semantic, found.shadow, found.misses, found.bypassed) == (3, 3, 4, 10, 5)
    assert (found.state.entries, found.state.bytes, found.refused) == (15, 50, 2)
    assert found.hit_rate == 6 / 20


def test_before_the_first_call_there_is_no_rate():
    (found,) = office().figures(RESOURCE)
    assert found.hit_rate is None
    assert (found.state.entries, found.kept) == (0, 0)


@pytest.mark.parametrize("name", ["shop", "id"])
async def test_a_key_is_meant_by_its_name_and_by_its_id(name):
    async with TestOffice() as around:
        made = (await around.make(name="shop")).record
        found = await chosen(around.keys, RESOURCE, project=None, caller=made.id if name == "id" else "shop")
        assert found == Chosen(caller=made.id)


async def test_who_is_no_key_is_meant_by_the_id_that_a_token_has():
    async with TestOffice() as around:
        assert await chosen(around.keys, RESOURCE, project="sales", caller="oid-7") == Chosen(
            project="sales", caller="oid-7"
        )
