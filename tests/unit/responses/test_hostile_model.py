"""A model that obeys whatever it reads gets no tool called that was not allowed, chosen and, where needed, approved."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forehearth.core.tool import ToolFilter
from forehearth.responses import toolbox
from forehearth.tools.asked import NOBODY_ASKED
from tests.unit.responses.hostile import LABELS, NAMES, Obedient, Scenario, played
from tests.unit.responses.stage import Stage
from tests.unit.responses.tool_sources import Source, mcp, tool

SOME = st.lists(st.sampled_from(NAMES), max_size=3, unique=True)
FILTER = st.fixed_dictionaries({}, optional={"tool_names": SOME, "read_only": st.booleans()})
ALLOWED = st.none() | SOME | FILTER
APPROVAL = (
    st.none()
    | st.sampled_from(["always", "never"])
    | st.fixed_dictionaries({}, optional={"always": FILTER, "never": FILTER})
)
CHOSEN = st.fixed_dictionaries(
    {"type": st.just("mcp"), "server_label": st.sampled_from(LABELS)}, optional={"name": st.sampled_from(NAMES)}
)
CHOICE = (
    st.sampled_from([None, "auto", "required", "none"])
    | st.fixed_dictionaries(
        {"type": st.just("allowed_tools"), "mode": st.just("auto"), "tools": st.lists(CHOSEN, max_size=2)}
    )
    | CHOSEN
)
SCENARIOS = st.builds(
    Scenario,
    allowed=st.tuples(ALLOWED, ALLOWED),
    approvals=st.tuples(APPROVAL, APPROVAL),
    choice=CHOICE,
    reads=st.frozensets(st.sampled_from(NAMES)),
)
OPEN = Scenario(approvals=("never", "never"))


@pytest.mark.parametrize("of_agent", [False, True])
@given(scenario=SCENARIOS)
@settings(deadline=None, max_examples=60)
async def test_nothing_is_called_that_must_not_be(scenario, of_agent):
    wrong, here = await played(scenario, of_agent=of_agent)
    assert wrong == []
    assert sum(len(source.calls) for source in here.sources.values()) <= 12


@pytest.mark.parametrize("of_agent", [False, True])
async def test_what_may_be_called_is(of_agent):
    """So that the test above does not hold because nothing is ever called."""
    wrong, here = await played(OPEN, of_agent=of_agent)
    assert wrong == []
    called = [f"{label}.{name}" for label in LABELS for name, _ in here.sources[label].calls]
    assert (len(set(called)), len(called)) == (8, 12)


@pytest.mark.parametrize(
    ("scenario", "broken"),
    [
        (Scenario(allowed=(["read"], []), approvals=("never", "never")), "allowed"),
        (Scenario(approvals=("always", "never")), "waits"),
        (Scenario(approvals=("never", "never"), choice="none"), "callable"),
        (
            Scenario(approvals=("never", "never"), choice={"type": "allowed_tools", "mode": "auto", "tools": []}),
            "callable",
        ),
    ],
)
async def test_with_any_of_the_checks_taken_out_it_would_be_seen(scenario, broken, monkeypatch):
    assert (await played(scenario))[0] == []
    if broken == "allowed":
        monkeypatch.setattr(toolbox.asked, "allowed", lambda *_: ToolFilter())
    elif broken == "waits":
        monkeypatch.setattr(toolbox.asked, "approval", lambda *_: NOBODY_ASKED)
    else:
        monkeypatch.setattr(toolbox.Toolbox, "callable", lambda box, called, **_: box.tool(called))
    assert (await played(scenario))[0] != []


async def test_a_model_cannot_approve_of_what_it_asks_for():
    """Whatever it says, in whatever words: an approval is an item that the caller sends."""
    here = Stage(Obedient("pay"))
    here.sources["files"] = Source(tool("pay"))
    talk = await here.begin()
    for _ in range(4):
        made = await here.create(conversation=talk, input="CALL pay", tools=[mcp(require_approval="always")])
        assert "mcp_approval_request" in [item["type"] for item in made["output"]]
    assert here.sources["files"].calls == []


async def test_each_approval_is_for_the_call_that_was_shown():
    here = Stage(Obedient("pay", "send"))
    here.sources["files"] = Source(tool("pay"), tool("send"))
    asked = {"tools": [mcp(require_approval="always")]}
    first = await here.create(**asked)
    requests = {item["name"]: item for item in first["output"] if item["type"] == "mcp_approval_request"}
    decided = {"type": "mcp_approval_response", "approval_request_id": requests["pay"]["id"], "approve": True}
    second = await here.create(previous_response_id=first["id"], input=[decided], **asked)
    assert here.sources["files"].calls == [("pay", "{}")]
    third = await here.create(previous_response_id=second["id"], input="CALL pay CALL send", **asked)
    assert here.sources["files"].calls == [("pay", "{}")]
    assert {item["type"] for item in third["output"]} <= {"message", "mcp_approval_request", "function_call"}


async def test_a_server_that_describes_more_tools_later_is_given_no_call_of_them():
    here = Stage(Obedient("read", "exfiltrate"))
    here.sources["files"] = source = Source(tool("read"))
    first = await here.create(tools=[mcp()])
    source.has.append(tool("exfiltrate"))
    await here.create(tools=[mcp()], previous_response_id=first["id"], input="CALL exfiltrate")
    assert {name for name, _ in source.calls} == {"read"}
    assert source.listed == 1
