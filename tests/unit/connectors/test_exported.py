"""Exported connectors: of the form that Microsoft's schemas have, with words for everything, and small enough."""

import json
import struct
import zlib
from pathlib import Path

import jsonschema
import msgspec
import openapi_spec_validator
import pytest
from openapi_spec_validator import OpenAPIV2SpecValidator

from forehearth.connectors.exported import LIST_OPERATION, MOST_BYTES, Entra, Wanted, exported
from forehearth.connectors.forms import OPERATIONS
from forehearth.connectors.icon import BRAND_COLOR, SIDE, icon
from forehearth.core.errors import InvalidField
from forehearth.server.describing import description
from forehearth.wire.swagger import swagger
from tests.conftest import ROOT

SCHEMAS = Path(ROOT) / "tests" / "conformance" / "schemas" / "power-platform"
DOCUMENT = swagger(description("openai-v1", "https://models.example.com:8443/team-a"))
ENTRA = Entra(client_id="00000000-0000-0000-0000-000000000000", audience="https://ai.azure.com")


def wanted(platform="power-platform", entra=None, deployments=(), title="Forehearth"):
    return Wanted(platform=platform, title=title, operations=dict.fromkeys(OPERATIONS, deployments), entra=entra)


def valid(value, name):
    schema = json.loads((SCHEMAS / name).read_text())
    jsonschema.validators.validator_for(schema)(schema).validate(value)


@pytest.mark.parametrize("platform", ["power-platform", "logic-apps"])
@pytest.mark.parametrize("entra", [None, ENTRA], ids=["key", "entra"])
@pytest.mark.parametrize("deployments", [(), ("chat", "Größe/ü")], ids=["listed", "named"])
def test_the_files_are_valid_by_microsofts_schemas(platform, entra, deployments):
    made = exported(wanted(platform, entra, deployments), DOCUMENT)
    valid(made.definition, "apiDefinition.swagger.schema.json")
    valid(made.properties, "paconn-apiProperties.schema.json")
    if made.settings is not None:
        valid(made.settings, "paconn-settings.schema.json")
    openapi_spec_validator.validate(made.definition, cls=OpenAPIV2SpecValidator)
    assert len(json.dumps(made.definition, indent=2)) < MOST_BYTES


@pytest.mark.parametrize("spoiled", [{"x-ms-visibility": "always"}, {"x-ms-new": 1}, {"responses": {}}])
def test_those_schemas_refuse_what_is_wrong(spoiled):
    made = json.loads(json.dumps(exported(wanted(), DOCUMENT).definition))
    made["paths"]["/embeddings"]["post"].update(spoiled)
    with pytest.raises(jsonschema.ValidationError):
        valid(made, "apiDefinition.swagger.schema.json")


def test_everything_has_words_and_a_name_in_pascal_case():
    paths = exported(wanted(), DOCUMENT).definition["paths"]
    operations = [each for item in paths.values() for each in item.values()]
    assert {each["operationId"] for each in operations} == {
        "CreateChatCompletion",
        "CreateEmbeddings",
        "CreateImage",
        "CreateResponse",
        "CreateTranscription",
        LIST_OPERATION,
    }
    for operation in operations:
        assert operation["operationId"].isalnum()
        assert operation["operationId"][0].isupper()
        assert operation["description"].removesuffix(".") != operation["summary"]
        for field in (each for each in operation["parameters"] if each["in"] == "formData"):
            assert field["x-ms-summary"][0].isupper()
            assert field["description"].endswith(".")
        asked = (each["schema"] for each in operation["parameters"] if each["in"] == "body")
        for schema in (*asked, operation["responses"]["200"]["schema"]):
            for member in members(schema):
                assert member["title"] == member["x-ms-summary"]
                assert member["title"][0].isupper()
                assert member["description"].endswith(".")
                assert "type" in member


def members(schema):
    for each in schema.get("properties", {}).values():
        yield each
        yield from members(each)
        yield from members(each.get("items", {}))


def test_the_designer_asks_for_the_deployments_where_none_are_chosen():
    definition = exported(wanted(), DOCUMENT).definition
    asked = definition["paths"]["/responses"]["post"]["parameters"][0]["schema"]["properties"]["model"]
    listing = definition["paths"]["/models"]["get"]
    assert asked["x-ms-dynamic-values"]["operationId"] == listing["operationId"]
    assert listing["x-ms-visibility"] == "internal"
    assert "/models" not in exported(wanted(deployments=("chat",)), DOCUMENT).definition["paths"]


def test_a_recording_goes_into_a_form():
    """Swagger 2.0 has no other way to upload a file."""
    action = exported(wanted(deployments=("heard",)), DOCUMENT).definition["paths"]["/audio/transcriptions"]["post"]
    assert action["consumes"] == ["multipart/form-data"]
    fields = {each["name"]: each for each in action["parameters"]}
    assert {each["in"] for each in fields.values()} == {"formData"}
    assert (fields["file"]["type"], fields["file"]["required"]) == ("file", True)
    assert (fields["model"]["enum"], fields["model"]["required"]) == (["heard"], True)
    assert not fields["prompt"]["required"]


def test_only_power_platform_has_settings():
    """They are those of `paconn`, which knows no other platform."""
    assert exported(wanted("power-platform"), DOCUMENT).settings is not None
    assert exported(wanted("logic-apps"), DOCUMENT).settings is None


@pytest.mark.parametrize("title", ["", " ", "T" * 31, "a\nb"])
def test_a_title_that_no_platform_shows_is_refused(title):
    with pytest.raises(InvalidField, match="title"):
        exported(wanted(title=title), DOCUMENT)


@pytest.mark.parametrize(
    "wrong",
    [{"tenant": "a/../b"}, {"tenant": ""}, {"client_id": "an id"}, {"audience": "https://a b"}, {"audience": ""}],
    ids=str,
)
def test_a_sign_in_that_entra_id_has_no_names_like_is_refused(wrong):
    with pytest.raises(InvalidField, match=next(iter(wrong))):
        exported(wanted(entra=msgspec.structs.replace(ENTRA, **wrong)), DOCUMENT)


def test_more_than_a_platform_takes_is_refused():
    with pytest.raises(InvalidField, match="1 MB"):
        exported(wanted(deployments=[f"{number:0200}" for number in range(2_000)]), DOCUMENT)


def test_the_icon_is_a_picture_that_the_designers_take():
    picture = icon()
    width, height, depth, color = struct.unpack(">IIBB", picture[16:26])
    assert (picture[:8], width, height, depth, color) == (b"\x89PNG\r\n\x1a\n", SIDE, SIDE, 8, 2)
    length = struct.unpack(">I", picture[33:37])[0]
    pixels = zlib.decompress(picture[41 : 41 + length])
    assert len(pixels) == SIDE * (SIDE * 3 + 1)
    assert pixels[1:4] == bytes.fromhex(BRAND_COLOR[1:])
    assert len({pixels[row * 481 + 1 + at : row * 481 + 4 + at] for row in range(SIDE) for at in range(0, 480, 3)}) == 5
