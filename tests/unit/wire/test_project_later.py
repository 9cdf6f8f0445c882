"""What is below a project and not served yet: 501 for who is known and may, and never a bare 404."""

import json
import re
from string import ascii_letters

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forehearth.core.errors import Refused
from forehearth.core.permission import Permission
from forehearth.core.place import Place
from forehearth.core.principal import Grant
from forehearth.wire import project_later
from forehearth.wire.table import Table
from tests.families import all_families
from tests.unit.doors import KEY, Known, answer, head, make_door, principal

BASE = "/api/projects/default"
OPERATIONS = project_later.OPERATIONS
GUARDED = [each for each in OPERATIONS if each[2] is not None]


def at_agent(name):
    grant = Grant(place=Place(resource="here", project="default", agent=name), permissions=frozenset(Permission))
    return principal(grants=(grant,))


@pytest.fixture(scope="module")
def client():
    known = Known(
        {
            "all": principal(),
            "none": principal(Permission.CHAT),
            "project": principal(project="sales"),
            "x1": at_agent("x1"),
            "x2": at_agent("x2"),
        }
    )
    return make_door(answer({}), known=known, families=all_families())


def ask(client, method, form, *, token="all", base=BASE, key=None):
    path = re.sub(r"\{\w+\}", "x1", form)
    authorization = {} if token is None else {"authorization": f"Bearer {token}"}
    reply = client.gateway.accept(
        head(f"{base}{path}?api-version=v1", method=method, key=key, content_type="any/thing", **authorization)
    )
    return reply.status, dict(reply.headers), json.loads(reply.body)["error"]


@pytest.mark.parametrize(("method", "form", "_"), OPERATIONS)
def test_it_answers_501_with_what_it_is_and_where_to_read_on(client, method, form, _):
    status, headers, error = ask(client, method, form)
    assert (status, error["code"], headers[b"x-should-retry"]) == (501, "NotServedYet", b"false")
    assert f"{method} /api/projects/{{project}}{form}" in error["message"]
    assert "docs/status.md" in error["message"]
    assert set(error) == {"code", "message", "param", "type", "details", "additionalInfo", "debugInfo"}


@pytest.mark.parametrize(("method", "form", "permission"), GUARDED)
def test_who_has_no_role_is_told_so_first(client, method, form, permission):
    status, _, error = ask(client, method, form, token="none")
    assert (status, error["code"]) == (403, "PermissionDenied")
    assert permission.value in error["message"]


@pytest.mark.parametrize(("method", "form", "_"), OPERATIONS)
def test_a_key_and_nobody_are_told_so_first(client, method, form, _):
    for token, key in ((None, KEY), (None, None), ("wrong", None)):
        assert ask(client, method, form, token=token, key=key)[0] == 401


@pytest.mark.parametrize("form", sorted({form for _, form, _ in OPERATIONS}))
def test_other_methods_are_405(client, form):
    allowed = {method for method, each, _ in OPERATIONS if each == form}
    table = {row.method for row in all_families().project if row.form == form}
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - allowed - table:
        status, headers, _ = ask(client, method, form)
        assert status == 405, (method, form)
        assert set(headers[b"allow"].decode().split(", ")) == allowed | table


def test_what_is_served_is_not_in_the_table():
    served = {(row.method, row.form) for row in all_families().project}
    assert not served & {(method, form) for method, form, _ in OPERATIONS}
    assert len({(method, form) for method, form, _ in OPERATIONS}) == len(OPERATIONS)


def test_a_role_at_an_agent_opens_that_agents_endpoint_alone(client):
    own = "/agents/{agent_name}/endpoint/sessions"
    assert ask(client, "POST", own, token="x1")[0] == 501
    assert ask(client, "POST", own, token="x2")[0] == 403
    assert ask(client, "POST", "/agents/{agent_name}/versions:import", token="x1")[0] == 403


def test_a_project_that_is_not_there_is_said_so_first(client):
    assert ask(client, "GET", "/skills", base="/api/projects/nowhere")[0] == 404
    assert ask(client, "GET", "/evaluators", token="project")[0] == 403
    assert ask(client, "GET", "/evaluators", token="project", base="/api/projects/sales")[0] == 501


@pytest.mark.parametrize("path", ["/datasets/a", "/evaluators/a:unknown", "/nothing", "/agents/a/nothing"])
def test_what_nobody_has_is_404_with_what_exists(client, path):
    status, _, error = ask(client, "GET", path)
    assert (status, error["code"]) == (404, "404")
    assert "/agents/{agent_name}" in error["message"]


TABLE = Table([*project_later.ROWS, *all_families().project], base="/base", keys=False)
SEGMENTS = st.sampled_from(
    ["agents", "x1", "versions", "x1:enable", "a:b", ":stop", "", "%", "%00", "%C3%A9", "é", "*"]
)


@given(
    st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "X"]),
    st.lists(SEGMENTS, max_size=9).map("/".join) | st.text(ascii_letters + "/:%{}", max_size=40),
)
def test_whatever_is_asked_has_an_answer(method, path):
    try:
        found = TABLE.find(head(f"/{path}", method=method), f"/{path}".encode())
    except Refused as refused:
        found = refused
    assert found is None or isinstance(found, Refused) or len(found.ids) == found.endpoint.path.count("{")
