"""A DAG that has Forehearth enrich a table: it posts the job, waits for the operation, and takes the report.

Airflow needs `apache-airflow-providers-http`, and a connection `forehearth` of the kind HTTP: the server's host, and as
its password a key made with `forehearth keys create airflow --enrich`. The job is `triage.json` beside this file.
A task that is tried again begins nothing twice: the operation has an id that follows from the run.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.providers.http.hooks.http import HttpHook
from airflow.sdk import PokeReturnValue, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

JOB = Path(__file__).with_name("triage.json")


def call(method: str, endpoint: str, body: object = None, **headers: str) -> Any:
    """The JSON that the server answers. A refusal fails the task."""
    hook = HttpHook(method=method, http_conn_id="forehearth")
    key = hook.get_connection("forehearth").password
    return hook.run(endpoint, json=body, headers={"api-key": key, **headers}).json()


@dag(schedule="@daily", start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False, max_active_runs=1)
def forehearth_enrichment() -> None:
    """Have the table enriched, once a day."""

    @task(retries=3, retry_delay=timedelta(seconds=10))
    def begin() -> str:
        """Post the job. Posted again, it is the same operation."""
        run = re.sub(r"[^A-Za-z0-9._-]", "-", get_current_context()["run_id"])
        job = json.loads(JOB.read_text())
        return call("POST", "/admin/enrichments", job, **{"Operation-Id": f"airflow-{run}"[:128]})["id"]

    @task.sensor(poke_interval=2, timeout=24 * 3600, mode="reschedule")
    def ended(operation: str) -> PokeReturnValue:
        """Wait until nothing becomes of it any more. What a limit ended has failed: what comes next must not run."""
        told = call("GET", f"/admin/enrichments/{operation}")
        if told["status"] in ("Failed", "Canceled"):
            raise AirflowFailException(f"{told['name']}: {told['error'] or told['status']}")
        return PokeReturnValue(is_done=told["status"] == "Succeeded", xcom_value=told["run"])

    @task
    def report(operation: str, run: dict[str, Any]) -> dict[str, Any]:
        """What became of it: here printed, and handed on."""
        told = call("GET", f"/admin/enrichments/{operation}/report")
        print(f"{run['done']} rows, {run['failed']} of them failed, {run['spent']['cost']} {run['spent']['currency']}")
        return {"done": run["done"], "failed": run["failed"], "rows": told["rows"]}

    operation = begin()
    report(operation, ended(operation))


forehearth_enrichment()
