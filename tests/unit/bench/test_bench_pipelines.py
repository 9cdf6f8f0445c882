"""The page of enrichment beside others: what it says follows from the record."""

from bench.enrichment_peers import CONTESTANTS, reply
from bench.pipelines import page

MACHINE = {"cpu": "a CPU", "cores": 2, "memory_gib": 8.0, "system": "Debian", "kernel": "6.1", "python": "3.11.2"}


def record():
    rows = {
        each.name: {
            "title": each.title,
            "ours": not each.module,
            "version": "1.2",
            "rows": each.rows,
            "cpu": [1_000.0, 900.0, 1_100.0],
            "peak": [100.0, 90.0, 80.0],
        }
        for each in CONTESTANTS
    }
    rows["plain"]["cpu"], rows["job"]["cpu"] = [30_000.0, 20_000.0, 24_000.0], [20_000.0, 16_000.0, 12_000.0]
    return {
        "taken": "2026-11-27T12:00:00+00:00",
        "commit": "abc",
        "machine": MACHINE,
        "load": [{"busy": 0.01}, {"busy": 0.02}, {"busy": 0.01}],
        "memory": [{"rows": 100_000, "cpu": 15_000.0, "wall": 1.0, "peak": 250.4}],
        "rows": rows,
    }


def test_every_contestant_has_its_line():
    told = page.markdown(record())
    for each in CONTESTANTS:
        assert f"| {each.title} | " in told
    assert "| Forehearth, a job | 16,000 (12,000 to 20,000) | 40,000 | 100 MB | 1.2 |" in told


def test_what_once_only_takes_is_the_median_of_the_rounds():
    assert "takes 50% of the processor time" in page.markdown(record())


def test_memory_is_told_where_it_was_measured():
    assert "| 100,000 rows | 250 MB | 15,000 |" in page.markdown(record())
    assert "not measured" in page.markdown({**record(), "memory": []})


def test_the_picture_has_a_bar_for_each():
    drawn = page.svg(record())
    assert drawn.count("<rect") == len(CONTESTANTS) + 1
    assert all(each.title in drawn for each in CONTESTANTS)


def test_a_host_answers_for_as_many_rows_as_are_asked_together():
    assert reply(0).count(b"urgency") == 1
    assert reply(50).count(b"urgency") == 50
