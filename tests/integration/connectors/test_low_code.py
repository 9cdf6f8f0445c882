"""Low-code platforms: exported connectors and those that Microsoft publishes, called over plain HTTP as they call.

The calls of an exported one are made of the written definition alone: who reads it knows nothing else of the server.
"""

import http.client
import json
from urllib.parse import urlsplit

import jsonschema
import pytest

from tests.forehearth_server import ForehearthServer
from tests.integration.connectors.published_connectors import ACTIONS, WORDS
from tests.media_host import PICTURE
from tests.media_host import fields as fields_of

FILLED = {"string": "Hello from a flow.", "integer": 16, "number": 0.5, "boolean": True}
"""What a maker types into a field of each type."""


FORM = "multipart/form-data"
RECORDING = b"RIFF" + bytes(range(256)) * 2_000


def form_of(fields, filled):
    """A form of these fields, as a platform writes it, and its type."""
    types = {each["name"]: each["type"] for each in fields}
    parts = []
    for name, value in filled.items():
        is_file = types[name] == "file"
        more = '; filename="recording.wav"\r\nContent-Type: application/octet-stream' if is_file else ""
        head = f'------flow\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode()
        parts.append(head + (value if is_file else str(value).encode()) + b"\r\n")
    return b"".join(parts) + b"------flow--\r\n", f"{FORM}; boundary=----flow"


class Connector:
    """A connector as a platform makes it of a folder: it lists the values of a field, and runs an action."""

    def __init__(self, folder, credential):
        self.definition = json.loads((folder / "apiDefinition.swagger.json").read_text())
        self.parameters = json.loads((folder / "apiProperties.json").read_text())["properties"]["connectionParameters"]
        self.credential = credential
        self.actions = {
            each["operationId"]: (method.upper(), path, each)
            for path, item in self.definition["paths"].items()
            for method, each in item.items()
        }

    def run(self, action, filled=None):
        """The answer of an action, of the form that is promised for it."""
        method, path, its = self.actions[action]
        kind = its.get("consumes", self.definition["consumes"])[0]
        if kind == FORM:
            body, kind = form_of(its["parameters"], filled)
        else:
            body = None if filled is None else json.dumps(filled)
        connection = http.client.HTTPConnection(self.definition["host"], timeout=30)
        assert self.definition["schemes"] == ["http"]
        headers = {"Content-Type": kind, "Accept": self.definition["produces"][0]}
        connection.request(method, self.definition["basePath"] + path, body, headers | self._sign_in())
        response = connection.getresponse()
        text = response.read()
        connection.close()
        assert response.status == 200, text
        answer = json.loads(text)
        jsonschema.validate(answer, its["responses"]["200"]["schema"])
        return answer

    def _sign_in(self):
        (scheme,) = (self.definition["securityDefinitions"][name] for name in self.definition["security"][0])
        if scheme["type"] == "apiKey":
            assert (scheme["in"], self.parameters["api_key"]["type"]) == ("header", "securestring")
            return {scheme["name"]: self.credential}
        assert self.parameters["token"]["oAuthSettings"]["identityProvider"] == "aad"
        return {"Authorization": f"Bearer {self.credential}"}

    def form(self, action):
        """The body's schema."""
        _, _, its = self.actions[action]
        (body,) = its["parameters"]
        return body["schema"]

    def values(self, field):
        """What a field offers: as the definition has it, or as an operation answers."""
        if "enum" in field:
            return field["enum"]
        asked = field["x-ms-dynamic-values"]
        return [each[asked["value-path"]] for each in self.run(asked["operationId"])[asked["value-collection"]]]

    def fill(self, schema, *, whole):
        """A body of the fields that are needed, or of all."""
        if schema["type"] == "object":
            names = schema["properties"] if whole else schema["required"]
            return {name: self.fill(schema["properties"][name], whole=whole) for name in names}
        if schema["type"] == "array":
            return [self.fill(schema["items"], whole=whole)]
        typed = FILLED[schema["type"]]
        return schema.get("default", schema.get("enum", [min(typed, schema.get("maximum", typed))])[0])


@pytest.fixture
def export(command, tmp_path):
    """Writes a connector to a folder, which it gives."""

    def call(*arguments, platform="power-platform"):
        status, _, err = command("connector", "export", platform, "--out", str(tmp_path / "connector"), *arguments)
        assert status == 0, err
        return tmp_path / "connector"

    return call


EXPECTED = {
    "CreateChatCompletion": ("chat", lambda answer: answer["choices"][0]["message"]["content"]),
    "CreateResponse": ("chat", lambda answer: answer["output"][0]["content"][0]["text"]),
    "CreateEmbeddings": (
        "vectors",
        lambda answer: len(answer["data"]) == 1 and len(answer["data"][0]["embedding"]) > 1,
    ),
}


@pytest.mark.parametrize("platform", ["power-platform", "logic-apps"])
@pytest.mark.parametrize("named", [(), ("--deployment", "chat", "--deployment", "vectors")], ids=["listed", "named"])
def test_each_action_is_called_as_the_connector_calls_it(server: ForehearthServer, export, platform, named):
    connector = Connector(export("--url", server.url, *named, platform=platform), server.key)
    assert connector.actions.keys() - {"ListDeployments"} == EXPECTED.keys()
    for action, (deployment, read) in EXPECTED.items():
        form = connector.form(action)
        assert deployment in connector.values(form["properties"]["model"])
        filled = connector.fill(form, whole=False) | {"model": deployment}
        assert read(connector.run(action, filled)) in (True, FILLED["string"])


NAMED = ("--deployment", "pictures", "--deployment", "heard")


@pytest.mark.parametrize("platform", ["power-platform", "logic-apps"])
def test_pictures_and_recordings_are_asked_as_the_connector_asks(server, media, export, platform):
    connector = Connector(export("--url", server.url, *NAMED, platform=platform), server.key)
    assert connector.actions.keys() == {"CreateImage", "CreateTranscription"}
    form = connector.form("CreateImage")
    assert connector.values(form["properties"]["model"]) == ["pictures"]
    for whole in (False, True):
        made = connector.run("CreateImage", connector.fill(form, whole=whole))
        assert made["data"][0]["b64_json"] == PICTURE
    _, _, its = connector.actions["CreateTranscription"]
    fields = {each["name"]: each for each in its["parameters"]}
    needed = {name: each["default"] for name, each in fields.items() if each["required"] and name != "file"}
    every = {name: FILLED[each["type"]] for name, each in fields.items() if not each["required"]}
    for more in ({}, every):
        assert connector.run("CreateTranscription", needed | {"file": RECORDING} | more)["text"] == "Hello there."
        assert fields_of(media.seen[-1])["file"] == RECORDING


@pytest.mark.parametrize("operation", ["images", "transcription"])
def test_one_that_nobody_named_a_deployment_for_is_there_where_it_is_wanted(server, export, operation):
    connector = Connector(export("--url", server.url, "--operation", operation), server.key)
    assert len(connector.actions.keys() - {"ListDeployments"}) == 1


def test_every_field_of_every_form_is_taken(server, export):
    connector = Connector(export("--url", server.url, "--deployment", "chat", "--deployment", "vectors"), server.key)
    earlier = connector.run("CreateResponse", {"model": "chat", "input": "Hello."})["id"]
    own = {"previous_response_id": earlier}
    for action in EXPECTED:
        form = connector.form(action)
        filled = connector.fill(form, whole=True)
        connector.run(action, filled | {name: value for name, value in own.items() if name in filled})


def test_a_connection_signs_in_with_an_account(server, export, issuer):
    entra = ("--sign-in", "entra", "--client-id", "an-application", "--tenant", "contoso.com")
    folder = export("--url", server.url, *entra)
    parameters = json.loads((folder / "apiProperties.json").read_text())["properties"]["connectionParameters"]
    settings = parameters["token"]["oAuthSettings"]
    resource = settings["customParameters"]["resourceUri"]["value"]
    assert settings["customParameters"]["tenantId"]["value"] == "contoso.com"
    connector = Connector(folder, issuer.token("maria", aud=resource))
    answer = connector.run("CreateChatCompletion", {"model": "chat", "messages": [{"role": "user", "content": "Hi."}]})
    assert answer["choices"][0]["message"]["content"] == "Hi."


@pytest.mark.parametrize("auth", ["key", "token"])
def test_an_operation_offers_the_deployments_that_can_be_asked_for_it(export, server, auth):
    connector = Connector(export("--url", server.url, "--auth", auth, "--deployment", "vectors"), server.key)
    assert connector.actions.keys() == {"CreateEmbeddings"}
    assert connector.form("CreateEmbeddings")["properties"]["model"]["enum"] == ["vectors"]


def test_what_was_written_is_told_and_where_it_cannot_be_reached(command, tmp_path, server):
    folder = tmp_path / "new" / "folder"
    arguments = ("connector", "export", "logic-apps", "--out", str(folder), "--url", server.url, "--json")
    status, out, err = command(*arguments, "--operation", "chat")
    told = json.loads(out)
    assert (status, told["operations"]) == (0, ["CreateChatCompletion", "ListDeployments"])
    assert told["files"] == {each.name: each.stat().st_size for each in folder.iterdir()}
    assert told["files"].keys() == {"apiDefinition.swagger.json", "apiProperties.json", "icon.png"}
    assert f"cannot reach {server.url}" in err
    status, _, err = command(*arguments)
    assert (status, "is there already" in err) == (2, True)
    _, _, err = command(*arguments, "--force", "--public-url", "http://models.example.com")
    assert "for all to read" in err
    status, out, err = command(*arguments, "--force", "--public-url", "https://models.example.com/team-a")
    assert (status, json.loads(out)["address"], err) == (0, "https://models.example.com/team-a/openai/v1", "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--deployment", "gone"), "'gone'"),
        (("--deployment", "vectors", "--operation", "chat"), "none of the deployments can be asked for chat"),
        (("--deployment", "chat", "--operation", "images"), "none of the deployments can be asked for images"),
        (("--operation", "music"), "'music'"),
        (("--sign-in", "entra"), "--client-id"),
        (("--resource", "my-resource"), "'Azure OpenAI'"),
        (("--public-url", "https://my-resource.openai.azure.com"), "'Azure OpenAI'"),
        (("--public-url", "models.example.com"), "An address has the form"),
        (("--title", "T" * 31), "A title has 1 to 30"),
        (("--sign-in", "entra", "--client-id", "a b"), "'client_id'"),
    ],
)
def test_what_cannot_be_exported_is_told_and_nothing_is_written(command, tmp_path, arguments, words):
    out = tmp_path / "connector"
    status, _, err = command("connector", "export", "power-platform", "--out", str(out), *arguments)
    assert (status, out.exists()) == (2, False)
    assert words in err
    assert "Traceback" not in err


def test_the_address_is_the_one_the_server_has(export, server):
    definition = Connector(export("--url", f"{server.url}/openai/v1/"), server.key).definition
    assert f"{definition['schemes'][0]}://{definition['host']}" == server.url
    assert urlsplit(server.url).netloc == definition["host"]


@pytest.mark.parametrize("action", ACTIONS, ids=str)
def test_what_published_connectors_call_is_answered_as_they_read_it(server, action):
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)
    body = None if action.body is None else json.dumps(action.body)
    connection.request(action.method, action.path, body, {"Content-Type": "application/json", "api-key": server.key})
    response = connection.getresponse()
    text = response.read()
    connection.close()
    assert response.status == 200, text
    answer = json.loads(text)
    assert [path for path in action.reads if at(answer, path) is None] == []
    if action.words_at:
        assert at(answer, action.words_at) == WORDS


def at(value, path):
    for step in path.split("."):
        value = value[int(step)] if step.isdigit() else value[step]
    return value
