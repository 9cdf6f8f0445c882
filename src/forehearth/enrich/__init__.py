"""Enrichment from Python: what `forehearth enrich` does, in a few lines.

from forehearth import enrich

run = enrich.run("triage.yaml")
job = enrich.job("triage", frame, prompt="…", deployment={"name": "chat"}, sink={"format": "delta", "path": "out"})
table = enrich.table(frame, prompt="…", deployment={"name": "chat"})
"""

from forehearth.enrich.frames import job, table
from forehearth.enrich.work import carry_on, foresee, load, plan, run, state_folder

__all__ = ["carry_on", "foresee", "job", "load", "plan", "run", "state_folder", "table"]
