"""Questions that are asked of an agent: what its version says in them, and what must not stand beside it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forehearth.core.agent import AgentDefinition, AgentVersion, StructuredInput
from forehearth.core.errors import InvalidField, NotServedYet, NotSupported, UnknownField
from forehearth.dialects.responses import agents, templates

FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object"}}


def version(**members):
    definition = AgentDefinition(model="m", **members)
    return AgentVersion(name="a", version="3", created=1, description="", metadata={}, definition=definition)


@pytest.mark.parametrize("member", ["agent", "agent_reference"])
def test_an_agent_is_named_by_either_member(member):
    found = agents.named({member: {"type": "agent_reference", "name": "a", "version": "1"}})
    assert found.shown() == {"type": "agent_reference", "name": "a", "version": "1"}
    assert agents.named({member: {"name": "a"}}).version is None
    assert agents.named({member: None}) is None


def test_both_members_have_to_mean_the_same():
    one, other = {"name": "a", "version": "1"}, {"name": "b"}
    assert agents.named({"agent": one, "agent_reference": {"name": "a"}}).version == "1"
    with pytest.raises(InvalidField, match="another agent"):
        agents.named({"agent": one, "agent_reference": other})
    with pytest.raises(InvalidField, match="another version"):
        agents.named({"agent": {"name": "a", "version": "2"}, "agent_reference": one})


def test_an_agent_s_own_endpoint_is_for_that_agent():
    assert agents.named({}, at="a").name == "a"
    assert agents.named({"agent_reference": {"name": "a", "version": "2"}}, at="a").version == "2"
    with pytest.raises(InvalidField) as refused:
        agents.named({"agent_reference": {"name": "b"}}, at="a")
    assert refused.value.param == "agent_reference.name"


@pytest.mark.parametrize(
    ("given_", "error", "param"),
    [
        ({"agent": "a"}, InvalidField, "agent"),
        ({"agent": {"type": "agent_id", "name": "a"}}, InvalidField, "agent.type"),
        ({"agent": {"type": "agent_reference"}}, InvalidField, "agent.name"),
        ({"agent": {"name": "a", "more": 1}}, UnknownField, "agent.more"),
        ({"structured_inputs": {}}, InvalidField, "structured_inputs"),
    ],
)
def test_what_names_no_agent_is_refused_by_name(given_, error, param):
    with pytest.raises(error) as refused:
        agents.named(given_)
    assert refused.value.param == param


def test_the_agent_says_what_the_request_does_not():
    agent = version(
        instructions="Be kind.",
        temperature=0.5,
        top_p=0.25,
        reasoning={"effort": "low"},
        tools=(FUNCTION | {"note": "for people"},),
        tool_choice="required",
        text={"format": {"type": "json_object"}, "note": "for people"},
    )
    asked = agents.applied({"agent_reference": {"name": "a"}, "model": "other", "input": "hi", "stream": True}, agent)
    assert asked == {
        "model": "m",
        "input": "hi",
        "stream": True,
        "instructions": "Be kind.",
        "temperature": 0.5,
        "top_p": 0.25,
        "reasoning": {"effort": "low"},
        "tools": [FUNCTION],
        "tool_choice": "required",
        "text": {"format": {"type": "json_object"}},
    }
    assert agents.applied({"tool_choice": "none", "input": "hi"}, agent)["tool_choice"] == "none"


@pytest.mark.parametrize("member", agents.FORBIDDEN)
def test_what_is_the_agent_s_is_not_allowed_beside_it(member):
    with pytest.raises(InvalidField, match=r"^Not allowed when agent is specified\.") as refused:
        agents.applied({member: "anything", "input": "hi"}, version())
    assert (refused.value.param, refused.value.kind) == (member, "invalid_payload")


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "mcp", "server_label": "files", "server_url": "https://files.example/mcp", "headers": {"x-a": "b"}},
        {"type": "openapi", "openapi": {"name": "a", "spec": {}, "auth": {"type": "anonymous"}}},
        {"type": "capture_structured_outputs", "outputs": {"name": "a", "schema": {}}},
    ],
)
def test_a_tool_goes_on_without_members_that_nobody_knows(tool):
    applied = agents.applied({"input": "hi"}, version(tools=(FUNCTION, tool | {"other": 1})))
    assert applied["tools"][1] == tool


@pytest.mark.parametrize("kind", ["file_search", "hammer"])
def test_a_tool_that_is_not_served_yet_is_said_so(kind):
    with pytest.raises(NotServedYet) as refused:
        agents.applied({"input": "hi"}, version(tools=(FUNCTION, {"type": kind})))
    assert refused.value.param == "tools[1].type"
    assert kind in refused.value.message


INPUTS = {"who": StructuredInput(required=True), "tone": StructuredInput(default_value="warm"), "n": StructuredInput()}


def test_structured_inputs_fill_the_places_of_the_instructions_and_of_those_who_instruct():
    agent = version(instructions="Greet {{who}} in a {{ tone }} way{{{n}}}, {{other}}.", structured_inputs=INPUTS)
    said = [{"role": role, "content": "{{who}}"} for role in ("user", "system", "developer")]
    said.append({"role": "system", "content": [{"type": "input_text", "text": "{{who}}"}]})
    asked = agents.applied({"input": said, "structured_inputs": {"who": {"name": "Ann"}}}, agent)
    ann = '{"name":"Ann"}'
    assert asked["instructions"] == f"Greet {ann} in a warm way, {{{{other}}}}."
    assert [each["content"] for each in asked["input"]] == [
        "{{who}}",
        ann,
        ann,
        [{"type": "input_text", "text": ann}],
    ]
    assert "structured_inputs" not in asked


@pytest.mark.parametrize(
    ("given_", "error", "param"),
    [
        ({}, InvalidField, "structured_inputs.who"),
        ({"structured_inputs": {"who": None}}, InvalidField, "structured_inputs.who"),
        ({"structured_inputs": {"who": "x", "whom": "y"}}, UnknownField, "structured_inputs.whom"),
        ({"structured_inputs": ["who"]}, InvalidField, "structured_inputs"),
    ],
)
def test_inputs_that_are_missing_or_too_many_are_named(given_, error, param):
    with pytest.raises(error) as refused:
        agents.applied({"input": "hi"} | given_, version(instructions="{{who}}", structured_inputs=INPUTS))
    assert refused.value.param == param


def test_what_is_filled_in_is_not_filled_again():
    assert templates.filled("{{a}}", {"a": "{{b}}", "b": "secret"}) == "{{b}}"


def test_a_template_is_bounded_and_has_no_blocks():
    with pytest.raises(InvalidField):
        templates.filled("{{a}}" * 5, {"a": "x" * 1_000_000})
    for block in ("{{#if a}}x{{/if}}", "{{> part}}", "{{!no}}", "{{~#each a}}"):
        with pytest.raises(NotSupported):
            templates.filled(block, {"a": 1})
    assert templates.filled("{{#if a}}", {}) == "{{#if a}}"


@given(st.text(alphabet="{} ab#"), st.text(alphabet="{}ab"))
def test_any_template_is_filled_or_refused(template, value):
    try:
        found = templates.filled(template, {"a": value})
    except NotSupported:
        return
    assert len(found) <= len(template) * (len(value) + 1)
    if "{{" not in template:
        assert found == template
