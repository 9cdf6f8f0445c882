"""Jobs over REST: run by a server's durable engine, each in a process of its own, and followed as operations are."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pyarrow.csv
import pytest
from azure.core import PipelineClient
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.policies import AzureKeyCredentialPolicy, RequestIdPolicy, RetryPolicy
from azure.core.polling import LROPoller
from azure.core.polling.base_polling import LROBasePolling
from azure.core.rest import HttpRequest
from deltalake import DeltaTable

from tests.conftest import StartForehearth
from tests.forehearth_server import PROGRAM, ForehearthServer, forehearth_server
from tests.integration.admin.wired import Client
from tests.integration.enrichment.jobs import SCHEMA, rows_of

PATH = "/admin/enrichments"
ROWS = 160
"""Of jobs that are ended on the way."""
ENDED = {"Succeeded", "Failed", "Canceled"}
SERVER = """
version: 1
backends:
  script:
    provider: scripted
    delay: 0.02
    rules:
      - {{when: {{contains: bad}}, status: 400, error: {{code: content_filter}}}}
      - {{json: {{length: 3, word: hi}}}}
  slow: {{provider: scripted, delay: 0.3, rules: [{{json: {{length: 3, word: hi}}}}]}}
deployments:
  chat: {{backends: [{{backend: script}}]}}
  slow: {{backends: [{{backend: slow}}]}}
  vectors: {{model: {{type: embeddings}}, backends: [{{backend: script}}]}}
resources: {{there: {{}}}}
enrichment: {{directories: [{tables}]}}
"""


class Server:
    """A server with a folder of tables that is open to jobs."""

    def __init__(self, server: ForehearthServer, tables: Path) -> None:
        self.server = server
        self.client = Client(server)
        self.tables = tables
        self._names = iter(f"job-{number}" for number in range(1_000))

    def job(self, rows: int, **members: Any) -> dict[str, Any]:
        """A job with a name and tables of its own."""
        name = next(self._names)
        (self.tables / name).mkdir()
        pyarrow.csv.write_csv(rows_of(range(rows)), self.tables / name / "tickets.csv")
        return {
            "version": 1,
            "name": name,
            "source": {"format": "csv", "path": f"{name}/tickets.csv"},
            "prompt": "{text}",
            "schema": SCHEMA,
            "deployment": {"name": "chat"},
            "sink": {"format": "delta", "path": f"{name}/out"},
            "chunk_rows": 20,
            "prices": {"input": 1, "output": 2},
        } | members

    def begun(self, job: dict[str, Any], query: str = "", **headers: str) -> str:
        """The id of the operation that was begun."""
        answer = self.client.ask("POST", PATH + query, job, headers=headers)
        assert answer.status == 202, answer.body
        return str(answer.json["id"])

    def ended(self, operation: str) -> dict[str, Any]:
        """The operation once it has ended."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            told = self.client.ask("GET", f"{PATH}/{operation}").json
            if told["status"] in ENDED:
                return dict(told)
            time.sleep(0.1)
        raise AssertionError(f"it did not end: {told}\n{self.server.output[-2000:]}")

    def until(self, operation: str, rows: int) -> None:
        """Wait until so many rows have landed."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            run = self.client.ask("GET", f"{PATH}/{operation}").json["run"]
            if run is not None and run["done"] >= rows:
                return
            time.sleep(0.1)
        raise AssertionError("no rows land")

    def landed(self, job: dict[str, Any]) -> list[int]:
        """The ids in the sink, in order."""
        table = DeltaTable(str(self.tables / job["sink"]["path"])).to_pyarrow_table()
        return sorted(table.column("id").to_pylist())

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command with `--url`."""
        environ = {**os.environ, **self.server.environment(), "FOREHEARTH_URL": ""}
        command = [str(PROGRAM), "enrich", *arguments, "--url", self.server.url]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environ, cwd=self.tables)


@pytest.fixture(scope="module")
def served(start_module_forehearth: StartForehearth, tmp_path_factory: pytest.TempPathFactory) -> Server:
    tables = tmp_path_factory.mktemp("tables")
    return Server(start_module_forehearth(SERVER.format(tables=tables)), tables)


def test_a_job_from_its_posting_to_its_report(served):
    job = served.job(50)
    (served.tables / job["name"] / "tickets.csv").write_text("id,text\n1,good one\n2,bad one\n3,good two\n")
    answer = served.client.ask("POST", PATH, job)
    operation = answer.json["id"]
    assert answer.json["status"] in {"NotStarted", "Running"}
    assert f"operation-location: http://localhost{PATH}/{operation}\n" in answer.head
    assert "retry-after: 2\n" in answer.head
    told = served.ended(operation)
    run = told["run"]
    assert (told["status"], told["error"], told["incomplete"], told["attempts"]) == ("Succeeded", None, False, 1)
    assert (run["status"], run["rows"], run["done"], run["failed"]) == ("completed", 3, 3, 1)
    assert (run["spent"]["requests"], run["errors"]) == (3, {"content_filter": 1})
    assert float(run["spent"]["cost"]) > 0
    assert served.landed(job) == [1, 3]
    assert "retry-after" not in served.client.ask("GET", f"{PATH}/{operation}").head
    report = served.client.ask("GET", f"{PATH}/{operation}/report").json
    assert sum(report["latency"]) == 3
    assert [row["word"] for row in report["rows"]] == ["hi", "hi"]
    page = served.client.ask("GET", f"{PATH}/{operation}/report?format=html")
    assert "content-type: text/html; charset=utf-8" in page.head
    assert "content-security-policy: default-src 'none'" in page.head
    assert b"<svg" in page.body
    listed = served.client.ask("GET", f"{PATH}?name={job['name']}").json["value"]
    assert [each["id"] for each in listed] == [operation]
    assert served.client.ask("DELETE", f"{PATH}/{operation}").status == 204
    assert served.client.ask("GET", f"{PATH}/{operation}").status == 404
    assert served.client.ask("GET", f"{PATH}?name={job['name']}").json["value"] == []
    done = [(each["action"], each["detail"]) for each in served.client.ask("GET", "/admin/audit").json["value"]]
    assert ("enrichments.create", f"run {job['name']}") in done
    assert ("enrichments.delete", job["name"]) in done


def test_a_function_over_rest(served):
    function = {"name": "embed", "column": "text"}
    job = served.job(4, function=function, deployment={"name": "vectors"}, prices={"input": 1})
    del job["prompt"], job["schema"]
    assert served.ended(served.begun(job))["status"] == "Succeeded"
    table = DeltaTable(str(served.tables / job["sink"]["path"])).to_pyarrow_table()
    assert str(table.schema.field("embedding").type) == "list<element: float>"
    assert table.column("embedding").null_count == 0
    answer = served.client.ask("POST", PATH, job | {"function": {"name": "embed", "columns": "text"}})
    assert (answer.status, answer.json["error"]["details"][0]["target"]) == (400, "function.columns")


def test_the_poller_of_azures_core_follows_it_to_its_end(served):
    """Nobody here wrote that one. It asks where `Operation-Location` says, at the pace of `Retry-After`."""
    policies = [
        RequestIdPolicy(),
        RetryPolicy(),
        AzureKeyCredentialPolicy(AzureKeyCredential(served.server.key), "api-key"),
    ]
    with PipelineClient(served.server.url, policies=policies) as client:

        def outcome(job: dict[str, Any]) -> Any:
            request = HttpRequest("POST", served.server.url + PATH, json=job)
            begun = client.send_request(request, _return_pipeline_response=True)
            poller = LROPoller(client, begun, lambda found: found.http_response.json(), LROBasePolling(timeout=0.2))
            return poller.result(60)

        job = served.job(30)
        told = outcome(job)
        assert (told["status"], told["run"]["done"]) == ("Succeeded", 30)
        assert served.landed(job) == list(range(30))
        with pytest.raises(HttpResponseError) as error:
            outcome(served.job(30, limits={"requests": 5}))
        assert "(incomplete) the limit of requests is reached" in str(error.value)


def test_everything_wrong_with_a_job_is_told_and_nothing_is_begun(served):
    job = served.job(3) | {
        "source": {"format": "cvs", "path": "x"},
        "promt": "x",
        "deployment": {"name": "chat", "backend": {"provider": "openai_compatible", "base_url": "http://10.0.0.1"}},
        "sink": {"format": "delta", "path": "out", "storage_secrets": {"k": "SECRET-OF-MINE"}},
    }
    answer = served.client.ask("POST", PATH, job)
    assert (answer.status, answer.json["error"]["code"]) == (400, "InvalidJob")
    told = {each["target"]: each["message"] for each in answer.json["error"]["details"]}
    assert told["source.format"] == "there is no format 'cvs'; did you mean 'csv'?"
    assert told["promt"] == "unknown key 'promt'; did you mean 'prompt'?"
    assert set(told) == {"source.format", "promt", "deployment.backend", "sink.storage_secrets"}
    assert b"SECRET" not in answer.body
    outside = served.client.ask("POST", PATH, served.job(3, source={"format": "csv", "path": "/etc/passwd"}))
    assert [each["target"] for each in outside.json["error"]["details"]] == ["source.path"]
    assert served.client.ask("GET", f"{PATH}?name={job['name']}").json["value"] == []


def test_asked_twice_under_one_id_it_is_one_operation(served):
    job, identity = served.job(10), {"operation-id": "nightly-2026-11-27"}
    first, again = (served.client.ask("POST", PATH, job, headers=identity) for _ in range(2))
    assert (first.status, again.status) == (202, 202)
    assert first.json["id"] == again.json["id"] == "nightly-2026-11-27"
    other = served.client.ask("POST", PATH, job | {"prompt": "Other: {text}"}, headers=identity)
    assert (other.status, other.json["error"]["code"]) == (409, "Conflict")
    assert served.ended("nightly-2026-11-27")["run"]["spent"]["requests"] == 10
    assert served.client.ask("POST", PATH, job, headers=identity).json["status"] == "Succeeded"
    assert len(served.client.ask("GET", f"{PATH}?name={job['name']}").json["value"]) == 1
    assert served.client.ask("POST", PATH, job, headers={"operation-id": "a b"}).status == 400


def test_one_that_is_cancelled_keeps_what_landed_and_goes_on(served):
    job = served.job(ROWS, deployment={"name": "slow"}, concurrency=8)
    operation = served.begun(job)
    served.until(operation, 20)
    taken = served.client.ask("POST", PATH, job)
    assert (taken.status, "is under way" in taken.json["error"]["message"]) == (409, True)
    assert served.client.ask("DELETE", f"{PATH}/{operation}").status == 409
    assert served.client.ask("POST", f"{PATH}/{operation}/cancel").json["cancelAsked"] is True
    told = served.ended(operation)
    assert (told["status"], told["run"]["status"]) == ("Canceled", "cancelled")
    rows = served.landed(job)
    assert 20 <= len(rows) < ROWS
    assert rows == list(range(len(rows)))
    paid = told["run"]["spent"]["requests"]
    more = served.ended(served.begun(job, "?deed=resume"))
    assert (more["status"], more["run"]["done"], more["run"]["id"]) == ("Succeeded", ROWS, told["run"]["id"])
    assert more["run"]["spent"]["requests"] == ROWS >= paid
    assert served.landed(job) == list(range(ROWS))
    nothing = served.ended(served.begun(job, "?deed=resume"))
    assert (nothing["status"], nothing["error"]["code"]) == ("Failed", "run_failed")


def test_a_limit_fails_it_as_incomplete_and_a_plan_says_so_before(served):
    job = served.job(60, limits={"requests": 45})
    planned = served.ended(served.begun(job, "?deed=plan&sample=4"))
    assert (planned["status"], planned["run"]) == ("Succeeded", None)
    assert (planned["plan"]["rows"], planned["plan"]["sampled"], planned["plan"]["limits"]) == (60, 4, ["requests"])
    told = served.ended(served.begun(job))
    assert (told["status"], told["incomplete"], told["error"]["code"]) == ("Failed", True, "incomplete")
    assert (told["run"]["limit"], told["run"]["done"], told["run"]["spent"]["requests"]) == ("requests", 40, 45)
    assert served.landed(job) == list(range(40))


def test_a_key_for_enrichment_does_it_and_nothing_else_of_admin(served):
    key = served.client.make("airflow", enrich=True, operations=["chat_completions"])["key"]
    job = served.job(3)
    answer = served.client.ask("POST", PATH, job, key=key)
    assert answer.status == 202
    assert served.client.ask("GET", PATH, key=key).status == 200
    for path in ("/admin/keys", "/admin/audit", "/admin/openapi.json"):
        assert served.client.ask("GET", path, key=key).status == 403
    plain = served.client.make("plain")["key"]
    refused = served.client.ask("POST", PATH, job, key=plain)
    assert (refused.status, "enrichments/write" in refused.json["error"]["message"]) == (403, True)
    assert served.ended(answer.json["id"])["status"] == "Succeeded"


def test_other_resources_have_none_yet(served):
    answer = served.client.ask("POST", f"{PATH}?resource=there", served.job(3))
    assert (answer.status, "not yet at others" in answer.json["error"]["message"]) == (409, True)


def test_the_commands_speak_to_a_server(served):
    job = served.job(40)
    name = job.pop("name")
    path = served.tables / f"{name}.yaml"
    path.write_text(json.dumps(job))
    planned = served.command("plan", str(path), "--no-sample")
    assert planned.returncode == 0, planned.stderr
    assert "to ask   40 requests" in planned.stdout
    ran = served.command("run", str(path))
    assert (ran.returncode, "rows      40 of 40 landed" in ran.stdout) == (0, True), ran.stderr
    assert json.loads(served.command("status", str(path), "--json").stdout)["status"] == "completed"
    reported = served.command("report", str(path), "--html", str(served.tables / "report.html"))
    assert (reported.returncode, "LATENCY" in reported.stdout) == (0, True), reported.stderr
    assert "<svg" in (served.tables / "report.html").read_text()
    assert served.command("resume", str(path)).returncode == 1
    assert "no run of this job is under way" in served.command("cancel", str(path)).stderr
    path.write_text(json.dumps(job | {"limits": {"requests": 5}, "prompt": "Again: {text}"}))
    limited = served.command("run", str(path))
    assert (limited.returncode, "Raise limits.requests" in limited.stderr) == (4, True)
    path.write_text(json.dumps(job | {"promt": "x"}))
    wrong = served.command("run", str(path))
    assert (wrong.returncode, wrong.stderr) == (
        3, f"{path}: promt: unknown key 'promt'\n    did you mean 'prompt'?\n1 problem.\n",
    )  # fmt: skip
    assert served.command("status", str(path), "--state", "x").returncode == 2


@pytest.mark.parametrize("death", ["of the worker", "a stop of the server"])
def test_another_goes_on_where_one_ended(tmp_path, death):
    """Killed with `kill -9`, or stopped in good order: each row lands once. The soak does the former over and over."""
    tables = tmp_path / "tables"
    tables.mkdir()
    config = SERVER.format(tables=tables)
    with forehearth_server(tmp_path, config) as server:
        served = Server(server, tables)
        job = served.job(ROWS, deployment={"name": "slow"}, concurrency=8)
        operation = served.begun(job)
        served.until(operation, 20)
        if death == "a stop of the server":
            assert server.stop() == 0
        else:
            os.kill(children(server.pid)[0], signal.SIGKILL)
            assert served.ended(operation)["status"] == "Succeeded"
    if death == "a stop of the server":
        with forehearth_server(tmp_path, config) as server:
            assert Server(server, tables).ended(operation)["status"] == "Succeeded"
    assert served.landed(job) == list(range(ROWS))


def test_where_nothing_is_open_or_the_libraries_are_missing_it_is_said(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['pyarrow'] = None")
    config = SERVER.format(tables=tmp_path)
    with forehearth_server(tmp_path, config, environment={"PYTHONPATH": str(tmp_path)}) as server:
        answer = Client(server).ask("POST", PATH, {"version": 1})
        assert (answer.status, "pip install 'forehearth[enrich]'" in answer.json["error"]["message"]) == (409, True)
        assert Client(server).ask("GET", PATH).json == {"value": []}


def children(process: int) -> list[int]:
    """The processes that it has started."""
    return [int(each) for each in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
