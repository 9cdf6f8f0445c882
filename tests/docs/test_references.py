"""Reference pages name everything that the program has, so that none of it can be added in silence."""

import re
from typing import get_args

import pytest

from forehearth.connectors.shapes import SHAPES
from forehearth.core.enrichment_settings import MetadataColumn
from forehearth.core.exchange import KEY_HEADERS
from forehearth.core.permission import Permission
from forehearth.embedded import chat_request
from forehearth.embedded.catalogue import CATALOGUE
from forehearth.embedded.schema_keywords import ANNOTATIONS, SUPPORTED
from forehearth.identity import roles
from forehearth.routing import attempts
from forehearth.routing.directory import Directory
from forehearth.server import app, served
from forehearth.wire import admin_table, bodies, descriptions, foundry_models, summaries, verdict
from forehearth.wire.summaries import SUMMARIES
from forehearth.wire.surfaces import surfaces
from scripts import command_line, write_job_reference
from scripts import endpoints as endpoints_page
from tests.conftest import ROOT
from tests.families import all_families

REFERENCE = ROOT / "docs" / "reference"
ENDPOINTS = (REFERENCE / "endpoints.md").read_text()
ERRORS = (REFERENCE / "errors.md").read_text()
EMBEDDED = (REFERENCE / "embedded-models.md").read_text()
FAULT = re.compile(r'(?:Malformed|explain)\(\s*(?:[A-Z_]+,\s*)?"([a-z_]+)"')


def paths() -> list[str]:
    """What a client can call, as the tables of endpoints have it."""
    tables = surfaces(Directory({}, {}, created=0), families=all_families())
    return [
        *(f"{endpoint.method} {endpoint.path}" for _, surface in tables for endpoint in surface.endpoints),
        *(f"POST {path.decode()}" for path in foundry_models._CALLS),
        *(path.decode() for path in sorted(foundry_models.ROOT_PATHS)),
        *(
            f"{endpoint.method} {endpoint.path}"
            for endpoint in (*app.ENDPOINTS, *admin_table.ENDPOINTS, *descriptions.ENDPOINTS)
        ),
    ]


@pytest.mark.parametrize("path", paths())
def test_every_path_is_on_the_page_of_endpoints(path: str) -> None:
    assert any(f"{path}{query}`" in ENDPOINTS for query in ("", "?api-version=", "?api-version=v1"))


@pytest.mark.parametrize("header", [*KEY_HEADERS, *bodies._FORWARDED])
def test_every_header_that_is_read_is_on_the_page_of_endpoints(header: bytes) -> None:
    assert header.decode() in ENDPOINTS.lower()


@pytest.mark.parametrize("header", sorted(each for each in attempts._PASSED if b"ratelimit" not in each))
def test_every_header_of_a_host_that_is_handed_on_is_on_the_page_of_endpoints(header: bytes) -> None:
    assert f"`{header.decode()}`" in ENDPOINTS


@pytest.mark.parametrize(("status", "code"), [*verdict._STATUS_AND_CODE.values(), (500, "InternalServerError")])
def test_every_code_is_on_the_page_of_errors(status: int, code: str) -> None:
    assert f"| {status} | `{code}` |" in ERRORS


def test_every_fault_of_form_is_on_the_page_of_errors() -> None:
    source = "".join(path.read_text() for path in (ROOT / "src/forehearth/http").glob("*.py"))
    codes = set(FAULT.findall(source))
    assert codes >= {"invalid_target", "too_many_headers", "internal_error"}, "the pattern does not find them any more"
    assert {code for code in codes if f"`{code}`" not in ERRORS} == set()


def test_the_tables_of_endpoints_are_the_newest() -> None:
    assert endpoints_page.PAGE.read_text() == endpoints_page.page(), "run .venv/bin/python -m scripts.endpoints"


@pytest.mark.parametrize("surface", sorted({shape.surface for shape in SHAPES.values()}))
def test_every_endpoint_says_what_it_does(surface: str) -> None:
    silent = {each.name for each in served.endpoints()[surface] if not SUMMARIES.keys() & {*summaries.names(each)}}
    assert silent == set(), "add them to src/forehearth/wire/summaries.py"


def test_nothing_is_said_of_endpoints_that_are_gone() -> None:
    names = {each.name for endpoints in served.endpoints().values() for each in endpoints}
    assert SUMMARIES.keys() - names == set()


def test_the_page_of_the_command_line_is_the_newest() -> None:
    assert command_line.PAGE.read_text() == command_line.page(), "run .venv/bin/python -m scripts.command_line"


def test_the_page_of_job_files_is_the_newest() -> None:
    assert write_job_reference.PAGE.read_text() == write_job_reference.page(), "run scripts/write-reference"


def test_every_reason_why_a_row_has_no_answer_is_on_the_page_of_job_files() -> None:
    source = (ROOT / "src/forehearth/enrichment/asking.py").read_text()
    codes = set(re.findall(r'code="([a-z_]+)"|code = "([a-z_]+)"', source))
    assert len(codes) > 3, "the pattern does not find them any more"
    page = write_job_reference.PAGE.read_text()
    assert {code for pair in codes for code in pair if code and f"`{code}`" not in page} == set()


@pytest.mark.parametrize("name", get_args(MetadataColumn))
def test_every_column_that_is_added_is_on_the_page_of_job_files(name: str) -> None:
    assert f"| `_{name}` |" in write_job_reference.PAGE.read_text()


@pytest.mark.parametrize(("keyword", "kept"), SUPPORTED.items())
def test_every_keyword_of_schemas_is_on_the_page_of_embedded_models(keyword: str, kept: str) -> None:
    assert f"| `{keyword}` | {kept} |\n" in EMBEDDED


@pytest.mark.parametrize("keyword", sorted(ANNOTATIONS))
def test_every_annotation_is_on_the_page_of_embedded_models(keyword: str) -> None:
    assert f"`{keyword}`" in EMBEDDED


def test_no_keyword_is_told_of_that_is_not_kept() -> None:
    table = EMBEDDED.partition("| keyword | kept |\n|---|---|\n")[2].partition("\n\n")[0]
    assert [line.split("`")[1] for line in table.splitlines()] == list(SUPPORTED)


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_model_is_on_the_page_with_its_size_and_licence(name: str) -> None:
    model = CATALOGUE[name]
    megabytes = sum(file.size for file in model.files) // 1_000_000
    row = next(line for line in EMBEDDED.splitlines() if line.startswith(f"| `{name}` |"))
    assert f"| {megabytes} MB |" in row
    assert f"| {model.licence} |" in row
    assert model.context_tokens is None or f"{model.context_tokens:,} tokens" in row


@pytest.mark.parametrize(
    ("row", "members"),
    [
        ("| honoured |", chat_request._HONOURED),
        ("| without effect |", chat_request._WITHOUT_EFFECT),
        ("| refused, but", chat_request._ONLY),
    ],
)
def test_every_member_of_a_chat_is_in_its_row(row: str, members: set[str]) -> None:
    line = next(line for line in EMBEDDED.splitlines() if line.startswith(row))
    assert {name for name in re.findall(r"`([a-z_]+)`", line) if name not in {"none", "false", "medium"}} == {*members}


ROLES_PAGE = (REFERENCE / "roles.md").read_text()


@pytest.mark.parametrize("role", roles.ROLES, ids=lambda role: role.name)
def test_every_role_is_on_the_page_of_roles(role: roles.Role) -> None:
    old = " ".join(f"`{name}`" for name in role.old_names)
    assert f"| `{role.name}` | {old} |" in ROLES_PAGE


@pytest.mark.parametrize("permission", Permission)
def test_every_data_action_is_on_the_page_of_roles(permission: Permission) -> None:
    action = permission.value.removeprefix("Microsoft.CognitiveServices/accounts/")
    assert f"| `{action}` |" in ROLES_PAGE
