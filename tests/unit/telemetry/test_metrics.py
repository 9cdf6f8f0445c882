import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from forehearth.core.backend_state import BackendState, State
from forehearth.core.cache_state import CacheState
from forehearth.core.usage import Usage
from forehearth.ports.meter import Meter
from forehearth.telemetry.cells import Cells, Sample, Series
from forehearth.telemetry.exposition import exposition
from forehearth.telemetry.families import FAMILIES
from forehearth.telemetry.metrics import REQUEST_SECONDS, Metrics, summed

CALL = ("openai_v1", "chat_completions", "small")


def told(samples: Iterable[Sample]) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """The page, read by somebody else's parser."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(exposition(samples))
        for sample in family.samples
    }


def key(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


def backend_state(**rest: Any) -> BackendState:
    known = {
        "deployment": "small",
        "label": "small",
        "backend": "b",
        "model": "m",
        "priority": 1,
        "weight": 1,
        "state": State.READY,
        "why": "",
        "opens_in": 0.0,
        "in_flight": 0,
        "calls": 0,
        "failures": 0,
        "busy": 0,
        "first_byte": None,
    }
    return BackendState(**known | rest)


CACHE = CacheState(deployment="small", label="small", exact=True, semantic="on", entries=3, bytes=4_000)


@pytest.fixture
def cells() -> Cells:
    return Cells()


@pytest.fixture
def metrics(cells: Cells) -> Metrics:
    return Metrics(cells)


def test_metrics_are_the_gateways_meter(metrics: Metrics):
    meter: Meter = metrics
    meter.attempt("b", "ok")


def test_a_request_is_counted_and_timed(metrics: Metrics, cells: Cells):
    metrics.request(*CALL, 200, 0.03)
    metrics.request(*CALL, 200, 0.05)
    metrics.request(*CALL, 429, 400.0)
    page = told(cells.samples())
    names = {"surface": "openai_v1", "operation": "chat_completions", "deployment": "small"}
    assert page[key("forehearth_requests_total", status="200", **names)] == 2
    assert page[key("forehearth_requests_total", status="429", **names)] == 1
    assert page[key("forehearth_request_seconds_count", **names)] == 3
    assert page[key("forehearth_request_seconds_sum", **names)] == pytest.approx(400.08)
    buckets = {
        dict(labels)["le"]: value
        for (name, labels), value in page.items()
        if name == "forehearth_request_seconds_bucket"
    }
    assert buckets["0.025"] == 0
    assert buckets["0.05"] == 2  # a bucket has what is on its bound
    assert buckets["300"] == 2
    assert buckets["+Inf"] == 3
    assert len(buckets) == len(REQUEST_SECONDS) + 1


def test_the_first_byte_of_a_stream_is_timed(metrics: Metrics, cells: Cells):
    metrics.first_byte(*CALL, 0.002)
    names = {"surface": "openai_v1", "operation": "chat_completions", "deployment": "small"}
    page = told(cells.samples())
    assert page[key("forehearth_first_byte_seconds_bucket", le="0.0025", **names)] == 1
    assert page[key("forehearth_first_byte_seconds_bucket", le="0.001", **names)] == 0


def test_tokens_are_counted_by_kind(metrics: Metrics, cells: Cells):
    metrics.tokens("small", Usage(prompt=10, completion=4, cached=3, reasoning=1))
    metrics.tokens("small", Usage(prompt=1))
    page = told(cells.samples())
    assert {
        kind: page[key("forehearth_tokens_total", deployment="small", kind=kind)]
        for kind in ("prompt", "completion", "cached", "reasoning")
    } == {"prompt": 11, "completion": 4, "cached": 3, "reasoning": 1}


def test_what_caches_do_is_counted_and_how_full_they_are_is_shown(metrics: Metrics, cells: Cells):
    cache = metrics.cache("small")
    for outcome in ("exact", "miss", "miss"):
        cache.looked_up(outcome)
    cache.refused("numbers")
    cache.unembedded()
    cache.kept(stored=True)
    cache.kept(stored=False)
    metrics.watch_caches(lambda: [CACHE])
    metrics.refresh()
    page = told(cells.samples())
    assert page[key("forehearth_cache_lookups_total", deployment="small", outcome="miss")] == 2
    assert page[key("forehearth_cache_lookups_total", deployment="small", outcome="exact")] == 1
    assert page[key("forehearth_cache_refused_total", deployment="small", difference="numbers")] == 1
    assert page[key("forehearth_cache_embedding_failures_total", deployment="small")] == 1
    assert page[key("forehearth_cache_answers_total", deployment="small", outcome="kept")] == 1
    assert page[key("forehearth_cache_answers_total", deployment="small", outcome="not_kept")] == 1
    assert page[key("forehearth_cache_entries", worker="0", deployment="small")] == 3
    assert page[key("forehearth_cache_bytes", worker="0", deployment="small")] == 4_000


def test_how_backends_are_is_shown_as_it_is_now(metrics: Metrics, cells: Cells):
    now = [backend_state(state=State.EJECTED, in_flight=3), backend_state(backend="c")]
    metrics.watch_backends(lambda: now)
    labels = {"worker": "0", "deployment": "small", "model": "m"}
    metrics.refresh()
    now[0] = backend_state(in_flight=1)
    metrics.refresh()
    page = told(cells.samples())
    states = {
        (backend, state.value): page[key("forehearth_backend_state", **labels, backend=backend, state=state.value)]
        for backend in "bc"
        for state in State
    }
    assert {each for each, value in states.items() if value == 1} == {("b", "ready"), ("c", "ready")}
    assert page[key("forehearth_backend_in_flight", **labels, backend="b")] == 1


def test_what_becomes_of_a_pool_is_counted(metrics: Metrics, cells: Cells):
    pool = metrics.pool("small")
    pool.ejected("b", "m")
    pool.ejected("b", "m")
    pool.retried(allowed=True)
    pool.retried(allowed=False)
    pool.spilled()
    page = told(cells.samples())
    assert page[key("forehearth_backend_ejections_total", deployment="small", backend="b", model="m")] == 2
    assert page[key("forehearth_retries_total", deployment="small", outcome="allowed")] == 1
    assert page[key("forehearth_retries_total", deployment="small", outcome="refused")] == 1
    assert page[key("forehearth_spillovers_total", deployment="small")] == 1


def test_attempts_connections_and_starts_are_counted(metrics: Metrics, cells: Cells):
    metrics.attempt("azure", "ok")
    metrics.attempt("azure", "backend_timeout")
    metrics.attempt("azure", "backend_timeout")
    totals = iter([3, 3, 4])
    metrics.watch_connections(lambda: next(totals))
    metrics.refresh()
    metrics.refresh()
    metrics.process_started("worker")
    page = told(cells.samples())
    assert page[key("forehearth_backend_attempts_total", backend="azure", outcome="ok")] == 1
    assert page[key("forehearth_backend_attempts_total", backend="azure", outcome="backend_timeout")] == 2
    assert page[key("forehearth_upstream_connections_opened_total")] == 1
    assert page[key("forehearth_worker_starts_total", role="worker")] == 1


def test_what_is_in_flight_goes_up_and_down(metrics: Metrics, cells: Cells):
    metrics.began()
    metrics.began()
    metrics.ended()
    assert told(cells.samples())[key("forehearth_in_flight")] == 1


def test_workers_are_summed_but_told_apart_where_that_is_the_point(tmp_path: Path):
    for worker in ("0", "1"):
        metrics = Metrics(Cells(tmp_path, worker), worker)
        metrics.request(*CALL, 200, 0.2)
        metrics.began()
        metrics.introduce({"pid": f"10{worker}", "version": "1"})
        metrics.vitals(lag=0.001, cpu=1.5, resident=2.0**20)
    page = told(summed(tmp_path)())
    names = {"surface": "openai_v1", "operation": "chat_completions", "deployment": "small"}
    assert page[key("forehearth_requests_total", status="200", **names)] == 2
    assert page[key("forehearth_request_seconds_bucket", le="0.25", **names)] == 2
    assert page[key("forehearth_in_flight")] == 2
    assert page[key("forehearth_worker_info", worker="1", pid="101", version="1")] == 1
    assert page[key("forehearth_worker_resident_bytes", worker="0")] == 2**20


def test_the_successor_of_a_dead_worker_keeps_its_counts_and_drops_its_present(tmp_path: Path):
    dead = Metrics(Cells(tmp_path, "0"), "0")
    dead.request(*CALL, 200, 0.2)
    dead.began()
    dead.introduce({"pid": "7"})
    Metrics(Cells(tmp_path, "0"), "0").introduce({"pid": "8"})
    page = told(summed(tmp_path)())
    assert page[key("forehearth_in_flight")] == 0
    assert key("forehearth_worker_info", worker="0", pid="7") not in page
    assert page[key("forehearth_worker_info", worker="0", pid="8")] == 1
    names = {"surface": "openai_v1", "operation": "chat_completions", "deployment": "small"}
    assert page[key("forehearth_requests_total", status="200", **names)] == 1


def test_a_page_without_a_single_number_names_every_metric():
    families = {family.name: family for family in text_string_to_metric_families(exposition([]))}
    assert {f"{name}_total" if family.type == "counter" else name for name, family in families.items()} == set(FAMILIES)
    assert all(family.documentation for family in families.values())


@pytest.mark.parametrize("text", ['a"b', "a\\b", "a\nb", "ü", "}", ",", "="])
def test_labels_are_escaped(metrics: Metrics, cells: Cells, text: str):
    metrics.attempt(text, "ok")
    assert told(cells.samples())[key("forehearth_backend_attempts_total", backend=text, outcome="ok")] == 1


@pytest.mark.parametrize(("value", "written"), [(3.0, "3"), (0.25, "0.25"), (-1.0, "-1"), (2.0**53, str(2**53))])
def test_numbers_are_written_exactly(value: float, written: str):
    page = exposition([Sample(Series("forehearth_in_flight"), value)])
    assert f"forehearth_in_flight {written}\n" in page


def test_every_metric_and_its_labels_are_on_the_page_about_them(repository_root: Path, tmp_path: Path):
    cells = Cells(tmp_path, "0")
    metrics = Metrics(cells)
    metrics.request(*CALL, 200, 0.1)
    metrics.first_byte(*CALL, 0.1)
    metrics.tokens("small", Usage(prompt=1))
    metrics.attempt("b", "ok")
    metrics.process_started("worker")
    metrics.introduce({"pid": "1", "version": "1", "python": "3"})
    metrics.vitals(lag=0.0, cpu=0.0, resident=0.0)
    metrics.keys_age(0.0)
    metrics.audit_lost(1)
    pool = metrics.pool("small")
    pool.ejected("b", "m")
    pool.retried(allowed=True)
    pool.spilled()
    metrics.watch_backends(lambda: [backend_state()])
    cache = metrics.cache("small")
    cache.looked_up("miss")
    cache.refused("numbers")
    cache.unembedded()
    cache.kept(stored=True)
    metrics.watch_caches(lambda: [CACHE])
    metrics.limits.refused("a")
    metrics.limits.waited(0.1)
    metrics.limits.exceeded("a", 1)
    metrics.ledger.folded("", 1)
    metrics.ledger.unwritten("lost")
    metrics.ledger.behind(0.0)
    metrics.refresh()
    page = (repository_root / "docs" / "reference" / "metrics.md").read_text()
    rows = dict(re.findall(r"^\| `(forehearth_\w+)` \| (\w+ \| [^|]*) \|", page, re.MULTILINE))
    labels: dict[str, dict[str, None]] = {name: {} for name in FAMILIES}
    for sample in cells.samples():
        name = re.sub(r"_(bucket|sum)$", "", sample.series.metric)
        labels[name] |= dict.fromkeys(label for label, _ in sample.series.labels if label != "le")
    assert rows == {
        name: f"{family.kind} | {', '.join(f'`{each}`' for each in labels[name]) or '-'}"
        for name, family in FAMILIES.items()
    }
