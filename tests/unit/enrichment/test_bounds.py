"""What a job that comes in over REST may read, write and say: nothing but what the configuration opens."""

import json
from pathlib import Path
from typing import Any

import pytest

from forehearth.config.problems import ConfigError
from forehearth.core.enrichment_bounds_settings import EnrichmentSettings, StorageSettings
from forehearth.core.secret import Secret
from forehearth.core.settings_types import Unfit
from forehearth.enrich import served
from forehearth.server.handover import pack_part
from forehearth.server.orders import EnrichOrder

ROOT = Path(__file__).parents[3]
LAKE = StorageSettings(
    url="s3://lake/tables/", options={"aws_region": "eu"}, secrets={"aws_secret_access_key": Secret("SECRET-OF-LAKE")}
)
JOB: dict[str, Any] = {
    "version": 1,
    "name": "triage",
    "source": {"format": "csv", "path": "in/tickets.csv"},
    "prompt": "{text}",
    "deployment": {"name": "chat"},
    "sink": {"format": "delta", "path": "out"},
}


@pytest.fixture
def bounds(tmp_path: Path) -> EnrichmentSettings:
    """One open folder with a file in it, a closed one beside it, one storage and one database."""
    for name in ("open/in", "closed"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "tickets.csv").write_text("id,text\n1,hello\n")
    return EnrichmentSettings(
        directories=(str(tmp_path / "open"),), storages=(LAKE,), databases={"CRM": Secret("postgresql://u:pw@h/d")}
    )


def read(bounds: EnrichmentSettings, **members: Any) -> Any:
    """The job as it is taken."""
    job = {name: value for name, value in (JOB | members).items() if value is not None}
    order = EnrichOrder(
        deed="check", job=job, bounds=pack_part(bounds), deployments=("chat", "fast"), states="/s", url="", key=""
    )
    return served.read(order, bounds).job


def refused(bounds: EnrichmentSettings, **members: Any) -> dict[str, str]:
    """What is wrong with a job, by the path of the key: message and remedy."""
    with pytest.raises(ConfigError) as error:
        read(bounds, **members)
    assert all((each.file, each.line, each.column) == ("", 0, 0) for each in error.value.problems)
    return {each.path: f"{each.message}; {each.hint}" for each in error.value.problems}


def test_a_job_within_its_bounds_is_taken_with_its_real_paths(bounds, tmp_path):
    job = read(bounds)
    assert job.source.path == str(tmp_path / "open/in/tickets.csv")
    assert job.sink.path == str(tmp_path / "open/out")
    assert read(bounds, source={"format": "csv", "path": "in/*.csv"}).source.path == str(tmp_path / "open/in/*.csv")
    assert read(bounds, source={"format": "csv", "path": str(tmp_path / "open")}).source.path == str(tmp_path / "open")


@pytest.mark.parametrize(
    "path",
    ["../closed/tickets.csv", "in/../../closed", "/etc/passwd", "{closed}", "{closed}/*.csv", "/*/passwd", "/",
     "in/./x", "{open}er", "~/x", "file:///etc/passwd", "https://example.com/x.csv"],
)  # fmt: skip
def test_no_path_leads_out_of_the_folders(bounds, tmp_path, path):
    path = path.format(closed=tmp_path / "closed", open=tmp_path / "open")
    if path != "~/x":  # which is a folder of that name
        assert set(refused(bounds, source={"format": "csv", "path": path})) == {"source.path"}
        assert set(refused(bounds, source={"format": "delta", "path": path})) == {"source.path"}
    else:
        assert read(bounds, source={"format": "csv", "path": path}).source.path == str(tmp_path / "open/~/x")
    if "*" not in path and path != "~/x":
        assert set(refused(bounds, sink={"format": "delta", "path": path})) == {"sink.path"}
        assert set(refused(bounds, sink={"format": "parquet", "path": path})) == {"sink.path"}


@pytest.mark.parametrize("path", ["link", "link/tickets.csv", "link/*.csv", "in/l*.csv", "in"])
def test_no_link_leads_out_of_them_either(bounds, tmp_path, path):
    (tmp_path / "open/link").symlink_to(tmp_path / "closed")
    (tmp_path / "open/in/link.csv").symlink_to(tmp_path / "closed/tickets.csv")
    assert set(refused(bounds, source={"format": "csv", "path": path})) == {"source.path"}
    assert set(refused(bounds, sink={"format": "delta", "path": "link/out"})) == {"sink.path"}


def test_a_sink_is_below_a_folder_because_the_quarantine_is_beside_it(bounds, tmp_path):
    assert set(refused(bounds, sink={"format": "delta", "path": str(tmp_path / "open")})) == {"sink.path"}


def test_a_table_of_an_open_storage_is_asked_as_the_configuration_says(bounds):
    job = read(
        bounds,
        source={"format": "delta", "path": "s3://lake/tables/in"},
        sink={"format": "delta", "path": "s3://lake/tables/out"},
    )
    for table in (job.source, job.sink):
        assert table.storage_options == {"aws_region": "eu"}
        assert table.storage_secrets["aws_secret_access_key"].reveal() == "SECRET-OF-LAKE"


@pytest.mark.parametrize(
    "url",
    ["s3://lake/tables", "s3://lake/tables/", "s3://lake/tablesandmore/x", "s3://other/tables/x", "S3://lake/tables/x",
     "s3://lake/tables/../private", "s3://lake/tables/%2e%2e/private", "s3://lake/tables/x?a=b", "s3://lake/tables/x#y",
     "s3://lake/tables/a\\..\\b", "s3://u:p@lake/tables/x", "http://169.254.169.254/latest"],
)  # fmt: skip
def test_no_other_storage_is_asked(bounds, url):
    assert set(refused(bounds, sink={"format": "delta", "path": url})) == {"sink.path"}
    assert set(refused(bounds, source={"format": "delta", "path": url})) == {"source.path"}


def test_a_job_brings_no_secret_no_host_and_nothing_of_how_a_storage_is_asked(bounds, tmp_path):
    (tmp_path / "open/secret").write_text("SECRET-OF-FILE")
    said = refused(
        bounds,
        source={"format": "delta", "path": "in", "storage_options": {"endpoint": "http://evil"}},
        sink={"format": "delta", "path": "out", "storage_secrets": {"k": f"file:{tmp_path}/open/secret"}},
        deployment={"name": "chat", "backend": {"provider": "openai_compatible", "base_url": "http://169.254.169.254"}},
        lineage={"url": "http://evil", "api_key": f"file:{tmp_path}/open/secret"},
    )
    assert set(said) == {"source.storage_options", "sink.storage_secrets", "deployment.backend", "lineage"}
    assert "SECRET" not in str(said)


def test_a_database_is_named_as_the_configuration_names_it(bounds, monkeypatch):
    monkeypatch.setenv("HOME_OF_SECRETS", "postgresql://env/env")
    job = read(bounds, source={"format": "postgresql", "url": "${CRM}", "query": "SELECT 1"})
    assert job.source.url.reveal() == "postgresql://u:pw@h/d"
    for url, words in (
        ("${HOME_OF_SECRETS}", "there is no database HOME_OF_SECRETS for jobs; have it added to enrichment.databases"),
        ("file:/etc/passwd", "jobs over REST name no files with secrets; write ${NAME}"),
        ("postgresql://u:SECRET@h/d", "a secret may not stand in this file"),
    ):
        said = refused(bounds, source={"format": "postgresql", "url": url, "query": "SELECT 1"})
        assert set(said) == {"source.url"}
        assert said["source.url"].startswith(words)
        assert "SECRET@" not in said["source.url"]


def test_everything_wrong_is_told_at_once_in_the_words_of_a_job_file(bounds):
    said = refused(bounds, name=None, promt="x", lineage={}, chunk_rows=0)
    assert set(said) == {"name", "promt", "lineage", "chunk_rows"}
    assert said["promt"] == "unknown key 'promt'; did you mean 'prompt'?"
    assert refused(bounds, deployment={"name": "chta"})["deployment.name"].endswith("did you mean 'chat'?")
    assert read(bounds, deployment={"name": "fast"}).deployment.name == "fast"


def test_a_private_column_is_in_no_prompt(bounds):
    said = refused(bounds, private=["text"])
    assert set(said) == {"prompt"}
    assert "backend" not in said["prompt"]


def test_the_job_of_the_example_for_airflow_is_one(bounds):
    example = json.loads((ROOT / "examples/airflow/triage.json").read_text())
    assert read(bounds, **example).deployment.name == "chat"


def test_nothing_is_open_unless_it_is_said(tmp_path):
    nothing = EnrichmentSettings()
    assert not nothing.is_open
    said = refused(nothing, source={"format": "csv", "path": str(tmp_path)})
    assert set(said) == {"source.path", "sink.path"}


@pytest.mark.parametrize(
    "url", ["/srv/tables", "s3://", "s3:///x", "s3://lake/../x", "s3://lake/a%2f", "s3://lake/x?y"]
)
def test_a_storage_is_written_plainly(url):
    with pytest.raises(Unfit):
        StorageSettings(url=url)
