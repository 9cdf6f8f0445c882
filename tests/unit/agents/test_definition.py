"""What an agent may be: what is read of a definition, and what is said of one that cannot be."""

import json
from string import ascii_letters

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forehearth.agents import definition
from forehearth.core.errors import InvalidField, MalformedBody, NotSupported, Refused

WHOLE = {
    "kind": "prompt",
    "model": "chat",
    "instructions": "You greet {{who}}.",
    "temperature": 0.5,
    "top_p": 1,
    "reasoning": {"effort": "low", "summary": "auto"},
    "tools": [
        {"type": "function", "name": "greet", "parameters": {"type": "object"}, "strict": True},
        {"type": "mcp", "server_label": "files", "server_url": "https://example.com/mcp", "require_approval": "never"},
        {
            "type": "openapi",
            "openapi": {"name": "weather", "spec": {"openapi": "3.1.0"}, "auth": {"type": "anonymous"}},
        },
        {
            "type": "capture_structured_outputs",
            "outputs": {"name": "order", "description": "An order.", "schema": {"type": "object"}, "strict": True},
        },
    ],
    "tool_choice": {"type": "function", "name": "greet"},
    "text": {"format": {"type": "json_schema", "name": "greeting", "schema": {"type": "object"}}},
    "structured_inputs": {"who": {"description": "Whom.", "default_value": "you", "required": False}},
    "a_member_of_tomorrow": [1],
}


AUDIENCE = "tools[0].openapi.auth.security_scheme.audience"


def openapi(**auth):
    return {"type": "openapi", "openapi": {"name": "x", "spec": {}, "auth": auth}}


def read(value):
    return definition.read(value if isinstance(value, bytes) else json.dumps(value).encode())


def test_everything_that_is_served_is_read():
    found = read(WHOLE)
    assert (found.model, found.instructions, found.temperature, found.top_p) == ("chat", "You greet {{who}}.", 0.5, 1.0)
    assert list(found.tools) == WHOLE["tools"]
    assert (found.tool_choice, found.text, found.reasoning) == (WHOLE["tool_choice"], WHOLE["text"], WHOLE["reasoning"])
    assert found.structured_inputs["who"].default_value == "you"


@pytest.mark.parametrize(
    "tool",
    [
        openapi(type="project_connection", security_scheme={"project_connection_id": "c"}),
        openapi(type="managed_identity", security_scheme={"audience": "https://example.com"}),
    ],
)
def test_each_way_to_call_an_api_is_read(tool):
    assert read({"kind": "prompt", "model": "chat", "tools": [tool], "tool_choice": "auto"}).tools == (tool,)


def test_null_is_as_absent():
    nothing = dict.fromkeys(set(WHOLE) - {"kind", "model", "a_member_of_tomorrow"})
    assert read({"kind": "prompt", "model": "chat", **nothing}) == read({"kind": "prompt", "model": "chat"})
    assert read({"kind": "prompt", "model": "chat", "skills": [], "rai_config": None}).tools == ()


@pytest.mark.parametrize("kind", sorted(definition.OTHER_KINDS))
def test_other_kinds_are_refused_by_name_with_what_is_served(kind):
    with pytest.raises(NotSupported, match=f"'{kind}' are not served; 'prompt' is") as refused:
        read({"kind": kind, "model": "chat"})
    assert refused.value.param == "definition.kind"


@pytest.mark.parametrize("kind", ["code_interpreter", "file_search", "web_search", "azure_ai_search", "nonsense"])
def test_other_tools_are_refused_by_name_with_what_is_served(kind):
    with pytest.raises(
        NotSupported, match=f"'{kind}' are not served; there are function, mcp, openapi, capture"
    ) as refused:
        read({"kind": "prompt", "model": "chat", "tools": [WHOLE["tools"][0], {"type": kind}]})
    assert refused.value.param == "definition.tools[1].type"


@pytest.mark.parametrize("member", definition.NOT_SERVED)
def test_what_could_not_be_honoured_is_refused_by_name(member):
    with pytest.raises(NotSupported) as refused:
        read({"kind": "prompt", "model": "chat", member: [{"name": "x"}]})
    assert refused.value.param == f"definition.{member}"


@pytest.mark.parametrize(
    ("changed", "param"),
    [
        ({"kind": 1}, "kind"),
        ({"kind": "Prompt"}, "kind"),
        ({"model": ""}, "model"),
        ({"model": 1}, "model"),
        ({"instructions": []}, "instructions"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": "1"}, "temperature"),
        ({"top_p": -0.1}, "top_p"),
        ({"reasoning": {"effort": "great"}}, "reasoning.effort"),
        ({"tools": {}}, "tools"),
        ({"tools": ["x"]}, "tools[0]"),
        ({"tools": [{}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tools": [{"type": "function", "name": "a b"}]}, "tools[0].name"),
        ({"tools": [{"type": "mcp", "server_label": "x"}]}, "tools[0].server_url"),
        ({"tools": [{"type": "openapi", "openapi": {"name": "x", "spec": {}}}]}, "tools[0].openapi.auth"),
        ({"tools": [{"type": "capture_structured_outputs", "outputs": {"name": "x"}}]}, "tools[0].outputs.schema"),
        ({"tools": [{"type": "function", "name": "f"}] * 129}, "tools"),
        ({"tools": [{"type": "mcp", "server_label": "x", "server_url": "file:///x"}]}, "tools[0].server_url"),
        ({"tools": [openapi(type="basic")]}, "tools[0].openapi.auth.type"),
        ({"tools": [openapi(type="project_connection")]}, "tools[0].openapi.auth.security_scheme"),
        ({"tools": [openapi(type="managed_identity", security_scheme={})]}, AUDIENCE),
        ({"tool_choice": 1}, "tool_choice"),
        ({"tool_choice": "perhaps"}, "tool_choice"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"structured_inputs": {"a": {"required": "yes"}}}, "structured_inputs[...].required"),
    ],
)
def test_a_wrong_member_is_named(changed, param):
    with pytest.raises(InvalidField) as refused:
        read({"kind": "prompt", "model": "chat"} | changed)
    assert refused.value.param == f"definition.{param}"
    assert f"definition.{param}" in refused.value.message


@pytest.mark.parametrize("missing", ["kind", "model"])
def test_a_missing_member_is_named(missing):
    with pytest.raises(InvalidField, match=f"Missing required parameter: 'definition.{missing}'"):
        read({name: value for name, value in {"kind": "prompt", "model": "chat"}.items() if name != missing})


def test_a_definition_has_an_end():
    with pytest.raises(InvalidField, match="524288 bytes"):
        read({"kind": "prompt", "model": "chat", "instructions": "x" * definition.LONGEST})


@pytest.mark.parametrize(
    "raw", [b"", b"{", b'{"kind": "prompt", "model": "\xff"}', b'{"model": "\\ud800"}', b'{"a":' + b"[" * 100_000]
)
def test_what_is_no_json_is_said_so(raw):
    with pytest.raises(MalformedBody):
        read(raw)


TEXT = st.text(ascii_letters, max_size=5)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(ascii_letters, max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*WHOLE, "type", "name"]), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(list(WHOLE)), JSON))
def test_whatever_comes_is_read_or_refused(changed):
    try:
        found = read(WHOLE | changed)
    except Refused:
        return
    assert found.model
