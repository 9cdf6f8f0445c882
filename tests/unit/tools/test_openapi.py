"""OpenAPI documents as callers write them: read, refused with the place, and called with everything encoded rightly."""

import copy
import json

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forehearth.core.errors import AddressFailed, AddressRefused, InvalidField, NotSupported, Refused
from forehearth.core.tool import OpenApiTool
from forehearth.core.upstream import Response
from forehearth.core.web_address import read
from forehearth.tools.openapi import OpenApiTools
from tests.unit.tools.asked_egress import ScriptedEgress, as_events, as_json

NODE = {
    "type": "object",
    "properties": {
        "children": {"type": "array", "items": {"$ref": "#/components/schemas/Node"}},
        "x": {"type": "string"},
    },
}
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "t", "version": "1"},
    "servers": [{"url": "https://{where}.example/base/", "variables": {"where": {"default": "api"}}}],
    "paths": {
        "/pets/{id}": {
            "parameters": [{"$ref": "#/components/parameters/Id"}],
            "get": {
                "operationId": "getPet",
                "summary": "A pet.",
                "parameters": [
                    {"name": "tag", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}},
                    {"name": "X-Trace", "in": "header", "schema": {"type": "string"}},
                    {"name": "Authorization", "in": "header", "schema": {"type": "string"}},
                ],
            },
            "put": {
                "operationId": "put.Pet",
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Node"}}},
                },
            },
        },
        "x-internal": {},
    },
    "components": {
        "parameters": {
            "Id": {"name": "id", "in": "path", "required": True, "description": "Whose.", "schema": {"type": "integer"}}
        },
        "schemas": {"Node": NODE},
    },
}


def answering(response=None):
    return ScriptedEgress(lambda _: response or as_json({"ok": True}))


def tools_of(document, egress=None, **more):
    return OpenApiTools(OpenApiTool(name="a", document=document, **more), egress or answering())


def one(parameters=(), path="/p", method="get", servers=None, **operation):
    """A document of one operation, `op`."""
    return {
        "openapi": "3.1.0",
        "servers": servers or [{"url": "https://api.example"}],
        "paths": {path: {method: {"operationId": "op", "parameters": list(parameters), **operation}}},
    }


async def asked(document, arguments, **more):
    """The URL of the only request."""
    egress = answering()
    answer = await tools_of(document, egress, **more).call("op", json.dumps(arguments))
    assert not answer.is_error, answer.text
    (request,) = egress.asked
    return request.url


async def test_a_document_is_read():
    get, put = await tools_of(DOCUMENT).tools()
    assert (get.name, get.description, get.read_only) == ("getPet", "A pet.", True)
    assert get.parameters == {
        "type": "object",
        "properties": {
            "id": {"type": "integer", "description": "Whose."},
            "tag": {"type": "array", "items": {"type": "string"}},
            "X-Trace": {"type": "string"},
        },
        "additionalProperties": False,
        "required": ["id"],
    }
    assert (put.name, put.read_only) == ("put_Pet", False)
    assert put.parameters["required"] == ["id", "body"]
    assert put.parameters["properties"]["body"] == {"$ref": "#/$defs/Node"}
    assert put.parameters["$defs"]["Node"]["properties"]["children"]["items"] == {"$ref": "#/$defs/Node"}
    validator = jsonschema.Draft202012Validator(put.parameters)
    jsonschema.Draft202012Validator.check_schema(put.parameters)
    assert validator.is_valid({"id": 1, "body": {"children": [{"x": "a", "children": []}]}})
    assert not validator.is_valid({"id": 1, "body": {"children": [{"x": 5}]}})


async def test_an_operation_is_called():
    egress = answering()
    tools = tools_of(DOCUMENT, egress)
    answer = await tools.call("getPet", '{"id": 7.0, "tag": ["a b", "c&d"], "X-Trace": "t 1"}')
    assert (answer.text, answer.is_error) == ('{"ok": true}', False)
    await tools.call("put_Pet", '{"id": 8, "body": {"x": "ü"}}')
    get, put = egress.asked
    assert (get.method, get.url) == (b"GET", "https://api.example/base/pets/7?tag=a%20b&tag=c%26d")
    assert dict(get.headers)[b"x-trace"] == b"t 1"
    assert (get.body, get.secrets) == (b"", ())
    assert (put.method, put.url) == (b"PUT", "https://api.example/base/pets/8")
    assert json.loads(put.body) == {"x": "ü"}
    assert dict(put.headers)[b"content-type"] == b"application/json"


def query(style=None, explode=None, **more):
    found = {"name": "q", "in": "query", "schema": {}, **more}
    return {**found, **({"style": style} if style else {}), **({} if explode is None else {"explode": explode})}


ODD = {"a": 1, "b c": "x,y"}


@pytest.mark.parametrize(
    ("parameter", "value", "text"),
    [
        (query(), "a b/c?d=e&f#g%h+i", "q=a%20b%2Fc%3Fd%3De%26f%23g%25h%2Bi"),
        (query(), "ü", "q=%C3%BC"),
        (query(), True, "q=true"),
        (query(), 1.5, "q=1.5"),
        (query(), 12, "q=12"),
        (query(), "", "q="),
        (query(), ["a", "b,c"], "q=a&q=b%2Cc"),
        (query(explode=False), ["a", "b,c"], "q=a,b%2Cc"),
        (query("spaceDelimited"), ["a", "b"], "q=a%20b"),
        (query("pipeDelimited"), ["a", "b"], "q=a%7Cb"),
        (query("spaceDelimited", explode=True), ["a", "b"], "q=a&q=b"),
        (query(explode=False), [], ""),
        (query(), ODD, "a=1&b%20c=x%2Cy"),
        (query(explode=False), ODD, "q=a,1,b%20c,x%2Cy"),
        (query("deepObject"), ODD, "q%5Ba%5D=1&q%5Bb%20c%5D=x%2Cy"),
        (query(), None, ""),
        (query(), [], ""),
        (query(name="q[]&="), "x", "q%5B%5D%26%3D=x"),
        (
            {"name": "q", "in": "query", "content": {"application/json": {"schema": {}}}},
            {"a": [1]},
            "q=%7B%22a%22%3A%5B1%5D%7D",
        ),
    ],
)
async def test_query_parameters(parameter, value, text):
    arguments = {parameter["name"]: value}
    assert await asked(one([parameter]), arguments) == "https://api.example/p" + (f"?{text}" if text else "")


@pytest.mark.parametrize(
    ("more", "value", "text"),
    [
        ({}, "a/b", "a%2Fb"),
        ({}, "ü ?#", "%C3%BC%20%3F%23"),
        ({}, 5, "5"),
        ({}, "%2e%2e", "%252e%252e"),
        ({}, ["a", "b/c"], "a,b%2Fc"),
        ({}, ODD, "a,1,b%20c,x%2Cy"),
        ({"explode": True}, ODD, "a=1,b%20c=x%2Cy"),
        ({}, "...", "..."),
        ({}, "a.b", "a.b"),
        ({}, "{q}", "%7Bq%7D"),
        ({}, "https://evil.example/", "https%3A%2F%2Fevil.example%2F"),
        ({}, "@evil.example", "%40evil.example"),
        ({}, "\\", "%5C"),
        ({}, "a\r\nb", "a%0D%0Ab"),
    ],
)
async def test_path_parameters(more, value, text):
    parameter = {"name": "id", "in": "path", "required": True, "schema": {}, **more}
    assert await asked(one([parameter], path="/x/{id}/y"), {"id": value}) == f"https://api.example/x/{text}/y"


@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        ("/{a}", {"a": ".."}),
        ("/{a}", {"a": "."}),
        ("/{a}", {"a": ""}),
        ("/{a}", {"a": []}),
        ("/{a}{b}", {"a": ".", "b": "."}),
        ("/{a}", {"a": None}),
        ("/{a}", {}),
        ("/{a}", {"a": "x", "zz": 1}),
        ("/{a}", {"a": [[1]]}),
        ("/{a}", {"a": {"b": {}}}),
    ],
)
async def test_arguments_that_would_lead_elsewhere_or_are_none(path, arguments):
    names = [name for name in ("a", "b") if f"{{{name}}}" in path]
    egress = answering()
    document = one([{"name": name, "in": "path", "required": True} for name in names], path=path)
    answer = await tools_of(document, egress).call("op", json.dumps(arguments))
    assert (answer.is_error, answer.fault.kind) == (True, "refused")
    assert egress.asked == []


@given(st.text(max_size=30), st.text(max_size=30))
async def test_no_argument_changes_host_or_path(first, second):
    parameters = [{"name": "a", "in": "path", "required": True}, {"name": "b", "in": "query"}]
    egress = answering()
    await tools_of(one(parameters, path="/x/{a}/y"), egress).call("op", json.dumps({"a": first, "b": second}))
    for request in egress.asked:
        address = read(request.url)
        assert address.origin == ("https", "api.example", 443)
        path, _, _ = address.target.partition("?")
        assert path.startswith("/x/")
        assert path.endswith("/y")
        assert path.count("/") == 3
        assert path.split("/")[2] not in ("", ".", "..")


@pytest.mark.parametrize(("value", "text"), [("a b", b"a b"), (["a", "b"], b"a,b"), (5, b"5"), (ODD, b"a,1,b c,x,y")])
async def test_header_parameters(value, text):
    egress = answering()
    await tools_of(one([{"name": "X-H", "in": "header"}]), egress).call("op", json.dumps({"X-H": value}))
    assert dict(egress.asked[0].headers)[b"x-h"] == text


@pytest.mark.parametrize("value", ["a\r\nb: c", "ü", "a\x00", "\n"])
async def test_a_header_takes_no_line_ends(value):
    egress = answering()
    answer = await tools_of(one([{"name": "X-H", "in": "header"}]), egress).call("op", json.dumps({"X-H": value}))
    assert answer.fault.kind == "refused"
    assert egress.asked == []


async def test_a_body_that_may_be_left_out_and_one_of_another_json_type():
    body = {"content": {"text/plain": {}, "application/merge-patch+json": {"schema": {"type": "object"}}}}
    egress = answering()
    tools = tools_of(one(method="patch", requestBody=body), egress)
    await tools.call("op", "{}")
    await tools.call("op", '{"body": null}')
    await tools.call("op", '{"body": {"a": 1}}')
    assert [each.body for each in egress.asked] == [b"", b"null", b'{"a":1}']
    assert dict(egress.asked[1].headers)[b"content-type"] == b"application/merge-patch+json"
    assert b"content-type" not in dict(egress.asked[0].headers)


async def test_names_that_meet_are_kept_apart():
    parameters = [
        {"name": "id", "in": "path", "required": True},
        {"name": "id", "in": "query"},
        {"name": "body", "in": "query"},
    ]
    body = {"content": {"application/json": {}}}
    egress = answering()
    tools = tools_of(one(parameters, path="/{id}", method="post", requestBody=body), egress)
    (tool,) = await tools.tools()
    assert list(tool.parameters["properties"]) == ["id", "id_query", "body", "request_body"]
    await tools.call("op", '{"id": 1, "id_query": 2, "body": 3, "request_body": 4}')
    assert (egress.asked[0].url, egress.asked[0].body) == ("https://api.example/1?id=2&body=3", b"4")


async def test_parameters_with_defaults_that_nobody_is_asked_for():
    parameters = [query(schema={"default": "v1"}, required=True), query(name="r", schema={})]
    document = one(parameters)
    (tool,) = await tools_of(document, default_params=frozenset({"q"})).tools()
    assert list(tool.parameters["properties"]) == ["r"]
    assert "required" not in tool.parameters
    assert await asked(document, {"r": 1}, default_params=frozenset({"q"})) == "https://api.example/p?q=v1&r=1"
    with pytest.raises(InvalidField, match="'default_params' has 'r'"):
        tools_of(document, default_params=frozenset({"q", "r"}))


async def test_a_document_of_3_0_says_some_things_otherwise():
    schema = {
        "type": "integer",
        "nullable": True,
        "minimum": 1,
        "exclusiveMinimum": True,
        "maximum": 9,
        "exclusiveMaximum": False,
        "enum": [2, 3],
        "example": 2,
        "x-note": 1,
        "discriminator": {},
    }
    (tool,) = await tools_of({**one([query(schema=schema)]), "openapi": "3.0.3"}).tools()
    assert tool.parameters["properties"]["q"] == {
        "type": ["integer", "null"],
        "exclusiveMinimum": 1,
        "maximum": 9,
        "enum": [2, 3, None],
    }


async def test_references_that_grow_when_they_are_followed_do_not_grow_here():
    schemas = {
        f"L{n}": {"type": "object", "properties": {k: {"$ref": f"#/components/schemas/L{n + 1}"} for k in "abcdefghij"}}
        for n in range(9)
    }
    schemas["L9"] = {"type": "string"}
    document = {**one([query(schema={"$ref": "#/components/schemas/L0"})]), "components": {"schemas": schemas}}
    (tool,) = await tools_of(document).tools()
    assert len(tool.parameters["$defs"]) == 10


def large():
    schemas = {f"S{n}": {"properties": {f"p{m}": {"type": "string"} for m in range(50)}} for n in range(20)}
    every = {"properties": {name: {"$ref": f"#/components/schemas/{name}"} for name in schemas}}
    paths = {f"/{n}": {"get": {"operationId": f"o{n}", "parameters": [query(schema=every)]}} for n in range(60)}
    return {**one(), "paths": paths, "components": {"schemas": schemas}}


def referring():
    """Seven operations that share a list of references, each of which leads through ten others."""
    parameters = {f"p{n}": {"$ref": f"#/components/parameters/p{n + 1}"} for n in range(10)}
    its = [{"$ref": "#/components/parameters/p0"}] * 1_000
    methods = ("get", "put", "post", "delete", "patch", "options", "head")
    item = {"parameters": its, **{each: {"operationId": each} for each in methods}}
    return {**one(), "paths": {"/p": item}, "components": {"parameters": {**parameters, "p10": query()}}}


def changed(change):
    document = copy.deepcopy(DOCUMENT)
    change(document)
    return document


def deep(levels):
    schema = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "array", "items": schema}
    return schema


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({}, "at 'openapi'"),
        ({"openapi": "2.0"}, "OpenAPI 3.0 and 3.1"),
        ({"swagger": "2.0"}, "OpenAPI 3.0 and 3.1"),
        ({"openapi": "3.2.0"}, "OpenAPI 3.0 and 3.1"),
        ({"openapi": "3.1.0"}, "'paths'"),
        ({"openapi": 3.1}, "3.0 and 3.1"),
        ({"openapi": "3.1.0", "paths": {}}, "no operations"),
        ({"openapi": "3.1.0", "paths": []}, "'paths'"),
        ({"openapi": "3.1.0", "paths": {"/": 5}}, "not an object"),
        ({"openapi": "3.1.0", "paths": {"/": {"get": 5}}}, "not an object"),
        (one(operationId=""), "operationId"),
        (one(operationId=5), "operationId"),
        (changed(lambda d: d["paths"]["/pets/{id}"]["put"].update(operationId="getPet")), "there twice"),
        (changed(lambda d: d.pop("servers")), "where the API is"),
        (one(servers=[5]), "where the API is"),
        (one(servers=[{"url": "https://{x}.example"}]), "has no default"),
        (one(servers=[{"url": "https://a.example?x"}]), "has a query"),
        (one(path="/{a}"), "'a' is not both"),
        (one([{"name": "a", "in": "path"}]), "'a' is not both"),
        (one(path="p"), "begins with"),
        (one([5]), "not an object"),
        (changed(lambda d: d["paths"]["/pets/{id}"].update(parameters=5)), "not a list"),
        (one([{"in": "query"}]), "has no name"),
        (one([{"name": []}]), "has no name"),
        (one([{"name": "a", "in": {}}]), "no 'in'"),
        (one([query(schema=5)]), "no schema"),
        (one([query(schema=deep(100))]), "nested too deeply"),
        (large(), "all its operations together are too large"),
        (referring(), "too many parameters and references"),
        (one([query(schema={"x": "y" * 70_000})]), "more than 65536 bytes"),
        (one([query(schema={"x": "y" * 1_100_000})]), "more than 1048576 bytes"),
        (one([{"$ref": "#/paths/~1p/get/parameters/0"}]), "refers to itself"),
        (one([{"$ref": "#/nothing"}]), "nothing of that name"),
        (one([{"$ref": "https://evil.example/x.json#/a"}]), "only references within"),
        (one([{"$ref": "file:///etc/passwd"}]), "only references within"),
        (one([{"$ref": "other.yaml#/x"}]), "only references within"),
        (one([query(schema={"$ref": "http://169.254.169.254/"})]), "only references within"),
        (one([query(schema={"items": {"$ref": "#"}})]), "only references within"),
        (
            {**one(), "paths": {f"/{n}": {"get": {"operationId": f"o{n}"}} for n in range(129)}},
            "more than 128 operations",
        ),
    ],
)
def test_a_document_that_cannot_be_used(document, told):
    with pytest.raises(InvalidField) as caught:
        tools_of(document, param="tools[0].openapi.spec")
    assert told in caught.value.message
    assert caught.value.param == "tools[0].openapi.spec"


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (one([{"name": "c", "in": "cookie"}]), "parameters in 'cookie'"),
        (one([query("matrix")]), "style 'matrix'"),
        (one([{"name": "q", "in": "query", "content": {"text/xml": {}}}]), "type 'text/xml'"),
        (
            one(method="post", requestBody={"content": {"multipart/form-data": {}}}),
            "bodies of the type 'multipart/form-data'",
        ),
        (one(method="post", requestBody={}), "bodies of the type ''"),
    ],
)
def test_what_is_not_served_is_refused_by_name(document, told):
    with pytest.raises(NotSupported) as caught:
        tools_of(document)
    assert told in caught.value.message
    assert "out of the document" in caught.value.message


@pytest.mark.parametrize(
    "url", ["/relative", "", "ftp://a.example", "https://user@a.example", "https://127.1/", "https://a.example:22"]
)
def test_a_server_that_is_no_address(url):
    with pytest.raises(AddressRefused) as caught:
        tools_of(one(servers=[{"url": url}]), param="p")
    assert caught.value.param == "p"


JSONISH = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["#/paths", "3.1.0", "query", "object"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "$ref",
                    "name",
                    "in",
                    "schema",
                    "get",
                    "parameters",
                    "requestBody",
                    "content",
                    "items",
                    "/p",
                    "properties",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=400)
@given(JSONISH, st.lists(JSONISH, max_size=3), JSONISH)
def test_any_document_is_read_or_refused(item, parameters, schema):
    for document in (
        {**one(), "paths": {"/p": item}},
        {**one(), "paths": item},
        one(parameters),
        one([query(schema=schema)]),
        one(method="post", requestBody=item),
        one(servers=[item]),
        one(servers=parameters),
    ):
        try:
            tools_of(document)
        except Refused:
            continue


@pytest.mark.parametrize(
    ("response", "text", "code"),
    [
        (as_json({"a": 1}), '{"a": 1}', None),
        (Response(status=204), "", None),
        (Response(status=200, body=b"plain \xff"), "plain \ufffd", None),
        (
            Response(status=200, headers={b"content-type": b"image/png"}, body=b"1234"),
            "[4 bytes of the type image/png: left out]",
            None,
        ),
        (Response(status=200, headers={b"content-type": b"text/html; charset=x"}, body=b"<p>"), "<p>", None),
        (Response(status=200, headers={b"content-type": b"application/problem+json"}, body=b"{}"), "{}", None),
        (as_json({"e": 1}, 422), 'The API answered with status 422: {"e": 1}', 422),
        (Response(status=500), "The API answered with status 500.", 500),
        (Response(status=304), "The API answered with status 304.", 304),
    ],
)
async def test_what_an_answer_is_for_a_model(response, text, code):
    answer = await tools_of(one(), answering(response)).call("op", "")
    assert answer.text == text
    assert (answer.fault.code if answer.is_error else None) == code


async def test_an_answer_that_comes_as_a_stream_is_read_whole():
    egress = answering(as_events({"a": 1}))
    assert (await tools_of(one(), egress).call("op", "")).text == 'event: message\ndata: {"a": 1}\n\n'
    assert egress.streams[0].closed


@pytest.mark.parametrize("error", [AddressRefused("no.", reason="private"), AddressFailed("no.", reason="timeout")])
async def test_what_is_not_asked_or_does_not_answer_is_a_result(error):
    def fail(_):
        raise error

    answer = await tools_of(one(), ScriptedEgress(fail)).call("op", "{}")
    assert (answer.text, answer.fault.kind) == ("no.", "http")


async def test_an_operation_that_is_not_there():
    answer = await tools_of(one()).call("other", "{}")
    assert answer.fault.kind == "refused"
    assert (await tools_of(one()).call("op", "[]")).fault.kind == "refused"


async def test_names_that_are_long_are_told_apart():
    names = [f"{'x' * 80}{n}" for n in range(3)]
    document = {**one(), "paths": {f"/{name}": {"get": {"operationId": name}} for name in names}}
    found = [tool.name for tool in await tools_of(document).tools()]
    assert len(set(found)) == 3
    assert {len(name) for name in found} == {64}
