"""What is kept of a run's course, and how its report draws it."""

from forehearth.enrichment import report
from forehearth.enrichment.budget import Spent
from forehearth.enrichment.run_record import MOST_POINTS, Run, latencies, latency_class


def a_run(**members):
    return Run(
        **{"id": "r", "job": "j", "fingerprint": "f", "source_version": "v", "started": 0.0, "updated": 1.0} | members
    )


def test_a_course_of_any_length_is_kept_in_few_points():
    run = a_run(spent=Spent())
    for second in range(10_000):
        run.spent.seconds, run.done = float(second), second
        run.mark()
    assert MOST_POINTS / 4 < len(run.points) <= MOST_POINTS
    assert [each.seconds for each in run.points] == sorted(each.seconds for each in run.points)
    assert run.points[0].done == 0
    assert run.points[-1].done > 9_000


def test_latencies_are_told_by_classes():
    counts = [0] * 20
    for seconds in (0.0001, 0.0015, 0.002, 0.9, 5_000):
        counts[latency_class(seconds)] += 1
    assert latencies(counts)[:2] == [("1 ms", 1), ("2 ms", 2)]
    assert (counts[10], counts[19]) == (1, 1)
    assert latencies([0] * 20) == []


def test_a_run_that_did_nothing_has_a_report_all_the_same():
    page = report.page(a_run(), [])
    assert "<svg" not in page
    assert "planned" in page
