"""The recipes for low-code platforms, run by the platforms: workflows of n8n and flows of Node-RED, on our server.

The commands are those of the pages of the docs, and the pictures on these pages are taken here. What is not installed
is not tried, and the report says so.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, StartForehearth
from tests.docs import fences
from tests.docs.session import Session
from tests.forehearth_server import ForehearthServer
from tests.soak import platforms
from tests.soak.platforms import N8n

BY_SOAK = "the soak runs it"
"""The reason by which a page leaves a block to this test."""
PICTURES = ROOT / "docs" / "how-to" / "pictures"
LARGEST = 150_000
"""Bytes that a picture may have."""
NODES = {"ForehearthChat01": 11, "ForehearthTool01": 5}

Note = Callable[[str, object], None]


@pytest.fixture(scope="module")
def server(start_module_forehearth: StartForehearth) -> ForehearthServer:
    return start_module_forehearth((ROOT / "examples" / "low-code.yaml").read_text())


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, server: ForehearthServer) -> Iterator[Path]:
    """The home of a reader who did what the page of n8n says, in a clone of this repository."""
    folder = tmp_path_factory.mktemp("reader")
    variables = N8n(folder / "home").variables
    session = Session(ROOT, folder, lambda: server)
    (folder / "home" / "work").mkdir(parents=True)
    (folder / "home" / "work" / "examples").symlink_to(ROOT / "examples")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PATH", variables["PATH"])
        _read(session, "docs/how-to/n8n.md", variables)
    yield folder / "home"
    session.close()


@pytest.fixture
def n8n(request: pytest.FixtureRequest, record_property: Note) -> N8n:
    record_property("n8n", "installed" if platforms.n8n_installed() else "not installed: nothing was run")
    return N8n(request.getfixturevalue("home")) if platforms.n8n_installed() else pytest.skip("n8n is not installed")


def _read(session: Session, path: str, variables: dict[str, str]) -> None:
    """Do what is left to the soak on a page, where a platform asks nobody outside."""
    exports = "".join(f"export {name}={value}\n" for name, value in variables.items() if name.startswith("N8N_"))
    session.run(fences.Fence(line=0, language="bash", title=None, text=exports))
    for fence in fences.read(ROOT, path).fences:
        if fence.not_run == BY_SOAK:
            session.run(fence)


def test_each_node_of_n8n_asks_in_its_shape(n8n: N8n) -> None:
    given = n8n.execute("ForehearthChat01")
    chains = ("Ask Azure OpenAI", "Ask Foundry", "Ask OpenAI", "Ask for a response")
    assert {name: given[name]["text"] for name in chains} == dict.fromkeys(chains, "Paris")
    assert given["Message a model"]["output"][0]["content"][0]["text"] == "Paris"
    assert given["Azure OpenAI"]["tokenUsage"]["promptTokens"] > given["Azure OpenAI"]["tokenUsage"]["completionTokens"]


def test_n8n_gets_fields_by_a_schema(n8n: N8n) -> None:
    fields = n8n.execute("ForehearthData01")["Sort the ticket"]["output"][0]["content"][0]["text"]
    assert fields.keys() == {"team", "urgent"}
    assert fields["team"] in {"billing", "technical"}


def test_an_agent_of_n8n_calls_its_tool_and_answers(n8n: N8n) -> None:
    given = n8n.execute("ForehearthTool01")
    assert given["Calculator"]["response"] == "54"
    (step,) = given["AI Agent"]["intermediateSteps"]
    assert (step["action"]["tool"], step["action"]["toolInput"]["input"], step["observation"]) == (
        "Calculator",
        "12 * 4.50",
        '[{"response":"54"}]',
    )
    assert given["AI Agent"]["output"] == "They cost 54 in all."


@pytest.mark.parametrize("workflow", ["ForehearthFind01", "ForehearthFind02"], ids=["Azure OpenAI", "OpenAI"])
def test_n8n_finds_by_meaning(n8n: N8n, workflow: str) -> None:
    found = n8n.execute(workflow)["Find the nearest"]
    assert found["document"]["pageContent"] == "The cat sleeps on the mat."
    assert 0.3 < found["score"] < 1


def test_the_editor_of_n8n_shows_it(n8n: N8n, tmp_path: Path, record_property: Note) -> None:
    if platforms.CHROMIUM is None:
        record_property("chromium", "not installed: no picture was taken")
        return
    wanted = [f"{name}={tmp_path / name}.png" for name in NODES]
    with n8n.serving(tmp_path / "log") as url:
        seen = platforms.pictures("n8n_pictures.mjs", tmp_path / "profile", url, *wanted)
    assert seen == NODES, "how many nodes have succeeded"
    _keep(tmp_path / "ForehearthChat01.png", "n8n-chat.png")
    _keep(tmp_path / "ForehearthTool01.png", "n8n-agent.png")


@pytest.mark.skipif(not (platforms.MODULES / "node-red").exists(), reason="Node-RED is not installed")
def test_node_red_asks_and_shows_it(server: ForehearthServer, tmp_path: Path, record_property: Note) -> None:
    flows = ROOT / "examples" / "node-red" / "flows.json"
    variables = {"FOREHEARTH_URL": server.url, "FOREHEARTH_API_KEY": server.key}
    with platforms.node_red(tmp_path / "red", flows, variables) as url:
        question = {"text": "Name the capital city of France. Answer with one word."}
        assert platforms.post(f"{url}/ask/v1", question) == "Paris"
        assert platforms.post(f"{url}/ask/azure", question) == "Paris"
        assert json.loads(platforms.post(f"{url}/ask/ticket", question)).keys() == {"team", "urgent"}
        assert json.loads(platforms.post(f"{url}/ask/vectors", question))["dimensions"] == 384
        if platforms.CHROMIUM is None:
            record_property("chromium", "not installed: no picture was taken")
            return
        buttons = [f"forehearth{name}i=forehearth{name}d" for name in ("v1", "azure", "ticket", "vectors")]
        picture = tmp_path / "flows.png"
        seen = platforms.pictures("node_red_pictures.mjs", tmp_path / "profile", url, str(picture), *buttons)
    assert seen["forehearthv1d"] == seen["forehearthazured"] == "Paris"
    _keep(picture, "node-red.png")


def _keep(picture: Path, name: str) -> None:
    """Put a picture where the page of the docs has it."""
    assert picture.stat().st_size < LARGEST
    PICTURES.mkdir(exist_ok=True)
    (PICTURES / name).write_bytes(picture.read_bytes())
