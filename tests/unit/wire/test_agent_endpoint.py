"""What is made at an agent's own endpoint is that agent's: not another one's, and not a later one's of its name."""

import pytest

from forehearth.core.place import Place
from tests.unit.assistants.stage import Stage
from tests.unit.responses.stage import says

DEFINITION = {"kind": "prompt", "model": "m"}
ASKED = {"input": "hello"}


def at(name: str) -> str:
    return f"/agents/{name}/endpoint/protocols/openai"


async def make(stage: Stage, name: str) -> None:
    await stage.ask("POST", "/agents", {"name": name, "definition": DEFINITION})


@pytest.fixture
async def stage():
    async with Stage(says("Hello.")) as stage:
        await make(stage, "helper")
        await make(stage, "other")
        yield stage


async def begun(stage: Stage) -> dict[str, str]:
    """What was made at the helper's endpoint, by path."""
    made = {}
    for path, body in (("responses", ASKED), ("responses", ASKED | {"background": True}), ("conversations", {})):
        found = await stage.ask("POST", f"{at('helper')}/{path}", body)
        made[f"{path}/{found['id']}"] = found["id"]
    return made


async def test_what_an_agent_has_is_seen_at_its_endpoint_alone(stage):
    for path, found in (await begun(stage)).items():
        assert (await stage.ask("GET", f"{at('helper')}/{path}"))["id"] == found
        for elsewhere in (f"{at('other')}/{path}", f"/openai/v1/{path}"):
            assert (await stage.reply("GET", elsewhere)).status == 404


async def test_an_agent_that_is_made_anew_has_nothing_of_the_one_before(stage):
    made = await begun(stage)
    first = next(each for each in made.values() if each.startswith("resp_"))
    conversation = next(each for each in made.values() if each.startswith("conv_"))
    await stage.ask("DELETE", "/agents/helper")
    for path in made:
        assert (await stage.reply("GET", f"{at('helper')}/{path}")).status == 404
    await make(stage, "helper")
    for path in made:
        for method in ("GET", "DELETE"):
            assert (await stage.reply(method, f"{at('helper')}/{path}")).status == 404
    for member in ({"previous_response_id": first}, {"conversation": conversation}):
        assert (await stage.reply("POST", f"{at('helper')}/responses", ASKED | member)).status in (400, 404)
    again = await stage.ask("POST", f"{at('helper')}/responses", ASKED)
    assert again["agent_reference"]["name"] == "helper"


async def test_a_new_version_is_the_same_agent(stage):
    made = await begun(stage)
    await stage.ask("POST", "/agents/helper/versions", {"definition": DEFINITION | {"instructions": "Be short."}})
    assert (await stage.reply("POST", "/agents/helper:disable")).status == 204
    for path, found in made.items():
        assert (await stage.ask("GET", f"{at('helper')}/{path}"))["id"] == found


async def test_an_agent_that_there_is_not_has_no_endpoint(stage):
    for method, path, body in (
        ("POST", "responses", ASKED),
        ("GET", "responses/resp_1", None),
        ("POST", "conversations", {}),
    ):
        assert (await stage.reply(method, f"{at('nobody')}/{path}", body)).status == 404


def test_a_place_says_whose_it_is():
    place = Place(resource="here", project="sales").at_agent("helper", "guid-1")
    assert (place.agent_name, place.project) == ("helper", "sales")
    assert place != place.at_agent("helper", "guid-2")
    assert Place(resource="here", project="sales", agent="helper").agent_name == "helper"
    assert Place(resource="here").agent_name == ""
