"""Whether a run brought everything it was asked for, and whether its figures may be published."""

from typing import Any

from bench.plan import Plan

QUIET = 0.1
"""A machine that others use for more than this share is no place to measure."""


def whole(found: dict[str, Any]) -> bool:
    """Whether every row that was chosen has all its figures."""
    rows = found["stacks"].values()
    good = all(row["state"] == "excluded" or (row["state"] == "measured" and not row["problems"]) for row in rows)
    return good and not found.get("growth", {}).get("problems")


def busiest(found: dict[str, Any]) -> float:
    """The largest share of the machine that others used just before a turn."""
    rounds = [figures for row in found["stacks"].values() for figures in row["rounds"].values()]
    return max((figures.get("busy_before", 0.0) for figures in rounds), default=0.0)


def objections(found: dict[str, Any], plan: Plan) -> list[str]:
    """Why these figures should not stand in the documentation; empty when they may."""
    raised = []
    if not plan.publishable:
        raised.append("the run was shorter than the method asks for")
    if any(row["state"] == "excluded" for row in found["stacks"].values()):
        raised.append("rows were left out")
    if not whole(found):
        raised.append("a row is missing or failed")
    if busiest(found) > QUIET:
        raised.append(f"the machine was {busiest(found):.0%} busy with something else")
    return raised
