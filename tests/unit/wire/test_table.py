"""Endpoints at which something is done: which row is meant, and what goes on to it."""

import json

import pytest

from forehearth.core.errors import MethodNotAllowed, NotFound, PathNotFound, UnsupportedMediaType
from forehearth.core.exchange import Reply
from forehearth.core.permission import Permission
from forehearth.core.place import Place
from forehearth.wire.surfaces import Families
from forehearth.wire.table import Row, Table
from tests.unit.doors import Known, answer, head, make_door, principal

ENTRIES = []


async def act(entry, body):
    ENTRIES.append(entry)
    if body == b'"no"':
        raise NotFound("There is no such thing.")
    return Reply(status=201, headers=[(b"content-type", b"application/json")], body=b'{"got":%b}' % (body or b"null"))


def row(method, form, **rest):
    given = {"permission": Permission.CHAT, "name": f"{method} {form}", "act": act}
    return Row(method=method, form=form, **given | rest)


ROWS = (
    row("GET", "/things"),
    row("POST", "/things"),
    row("GET", "/things/{id}"),
    row("POST", "/things/count"),
    row("GET", "/things/{id}/parts/{part}"),
    row("POST", "/sheets", media=b"multipart/form-data"),
    row("PUT", "/sheets", media=b""),
    row("DELETE", "/sheets/{id}"),
    row("POST", "/sheets/{id}:stop"),
    row("POST", "/sheets/{id}/lines/{line}:end"),
    row("POST", "/sheets:estimate"),
)


def found(method, path, **headers):
    table = Table(ROWS, base="/base", keys=True)
    return table.find(head(path, method=method, **headers), path.encode())


def test_the_row_with_the_method_is_meant_and_names_are_taken_out():
    assert found("POST", "/things").endpoint.name == "POST /things"
    assert found("HEAD", "/things").endpoint.name == "GET /things"
    asked = found("GET", "/things/a%20b/parts/2")
    assert (asked.endpoint.path, asked.ids) == ("/base/things/{id}/parts/{part}", ("a b", "2"))
    assert found("POST", "/things/count").endpoint.path == "/base/things/count"
    assert found("GET", "/things/count").ids == ("count",)


@pytest.mark.parametrize("path", ["/other", "/things/a/b", "/things/a/parts", "/", "x", "/things/a/parts/b/"])
def test_what_no_form_is_like_is_not_here(path):
    assert found("GET", path) is None


def test_an_action_stands_behind_a_colon():
    assert found("POST", "/sheets/a:stop").ids == ("a",)
    assert found("POST", "/sheets/a:b:stop").ids == ("a:b",)
    assert found("POST", "/sheets/a/lines/2:end").ids == ("a", "2")
    assert found("POST", "/sheets:estimate").endpoint.path == "/base/sheets:estimate"
    assert found("DELETE", "/sheets/a%3Astop").ids == ("a:stop",)
    assert found("POST", "/sheets/a/lines/2") is None


@pytest.mark.parametrize("path", ["/sheets/a:stop", "/sheets:estimate"])
def test_the_path_of_an_action_is_nothing_elses(path):
    with pytest.raises(MethodNotAllowed) as refused:
        found("DELETE", path)
    assert refused.value.allowed == ("POST",)


def test_an_action_upon_nothing_is_no_path():
    with pytest.raises(PathNotFound):
        found("POST", "/sheets/:stop")


def test_other_methods_are_refused_with_those_that_are_taken():
    with pytest.raises(MethodNotAllowed) as refused:
        found("DELETE", "/things")
    assert refused.value.allowed == ("GET", "POST")


def test_a_body_of_another_kind_is_refused():
    assert found("POST", "/sheets", content_type="multipart/form-data; boundary=x") is not None
    assert found("PUT", "/sheets", content_type="anything/at-all") is not None
    with pytest.raises(UnsupportedMediaType):
        found("POST", "/sheets", content_type="application/json")


def test_a_segment_that_can_be_no_name_is_no_path():
    with pytest.raises(PathNotFound):
        found("GET", "/things/%00")


@pytest.fixture
def client():
    ENTRIES.clear()
    return make_door(
        answer({}), known=Known({"t": principal()}), families=Families(v1=ROWS, classic=ROWS[:2], project=ROWS[2:3])
    )


@pytest.mark.parametrize(
    ("target", "project"),
    [
        ("/openai/v1/things", ""),
        ("/openai/things?api-version=2024-10-21", ""),
        ("/api/projects/sales/openai/v1/things", "sales"),
        ("/api/projects/_project/openai/v1/things", "default"),
    ],
)
async def test_an_act_gets_the_body_and_the_place_and_its_reply_is_traced(client, target, project):
    reply = await client.post(target, {"a": 1}, authorization="Bearer t")
    assert (reply.status, json.loads(reply.body)) == (201, {"got": {"a": 1}})
    assert ENTRIES[0].place == Place(resource="here", project=project)
    assert dict(reply.headers)[b"x-request-id"]
    assert client.counts.requests[-1][1:] == ("POST /things", "", 201)
    assert client.counts.in_flight == 0


async def test_what_an_act_raises_is_said_in_the_words_of_its_surface(client):
    reply = await client.post("/api/projects/sales/openai/v1/things", "no", authorization="Bearer t")
    assert (reply.status, json.loads(reply.body)["error"]["message"]) == (404, "There is no such thing.")


async def test_nothing_is_done_in_a_project_that_is_not_there(client):
    reply = await client.post("/api/projects/none/openai/v1/things", {}, authorization="Bearer t")
    assert reply.status == 404
    assert not ENTRIES
