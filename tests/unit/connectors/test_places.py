"""Where the shapes are: at an origin in whatever form it is pasted, or at an Azure resource's public addresses."""

from urllib.parse import quote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forehearth.connectors.places import Address
from forehearth.connectors.shapes import SHAPES
from forehearth.core.errors import InvalidField

SERVER = "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    "pasted",
    [
        "",
        "/",
        "/models",
        "/models/chat/completions",
        "/openai/v1/",
        "/openai/v1",
        "/openai/deployments/chat",
        "/api/projects/default",
        "/api/projects/default/openai/v1",
    ],
)
def test_a_base_url_of_any_shape_names_the_server(pasted):
    assert Address.of_url(SERVER + pasted).origin == SERVER


def test_what_stands_before_a_shape_is_kept():
    address = Address.of_url("https://gateway.contoso.com/team-a/openai/v1/")
    assert address.base(SHAPES["classic"]) == "https://gateway.contoso.com/team-a"
    assert address.base(SHAPES["v1"]) == "https://gateway.contoso.com/team-a/openai/v1/"


def test_a_project_endpoint_names_the_project_and_an_option_another():
    assert Address.of_url(f"{SERVER}/api/projects/my%20own").base(SHAPES["project"]).endswith("/my%20own")
    assert Address.of_url(f"{SERVER}/api/projects/sales", "other").project == "other"


def test_the_public_addresses_of_a_resource():
    bases = {name: Address.of_resource("Contoso-AI", "sales").base(shape) for name, shape in SHAPES.items()}
    assert bases == {
        "foundry": "https://contoso-ai.services.ai.azure.com/models",
        "v1": "https://contoso-ai.openai.azure.com/openai/v1/",
        "responses": "https://contoso-ai.openai.azure.com/openai/v1/",
        "classic": "https://contoso-ai.openai.azure.com",
        "project": "https://contoso-ai.services.ai.azure.com/api/projects/sales",
    }


@pytest.mark.parametrize(
    ("url", "azure"),
    [
        ("https://r.openai.azure.com", True),
        ("https://R.services.ai.azure.com/models", True),
        ("https://r.cognitiveservices.azure.com", True),
        ("https://r.openai.azure.com.evil.example", False),
        ("https://openai.azure.com.example", False),
        (SERVER, False),
    ],
)
def test_which_addresses_are_microsofts(url, azure):
    assert Address.of_url(url).is_azure is azure


@pytest.mark.parametrize("name", ["", "a.b", "-a", "a-", "a/b", "x" * 65, "ä"])
def test_no_name_of_a_resource(name):
    with pytest.raises(InvalidField):
        Address.of_resource(name)


@pytest.mark.parametrize(
    "url", ["", "localhost:8080", "ftp://x", "http://", "http://u:p@x", "http://x:99999", "http://[x"]
)
def test_no_address(url):
    with pytest.raises(InvalidField):
        Address.of_url(url)


@given(st.text(min_size=1).filter(lambda name: name.encode(errors="ignore").decode() == name))
def test_a_project_of_any_name_is_found_again_in_its_own_base_url(name):
    base = Address.of_url(SERVER, name).base(SHAPES["project"])
    assert urlsplit(base).path == "/api/projects/" + quote(name, safe="")
    assert Address.of_url(base).project == name


@given(st.text())
def test_whatever_is_pasted_is_an_address_or_refused(text):
    try:
        address = Address.of_url(text)
    except InvalidField:
        return
    assert address.origin.startswith(("http://", "https://"))
    assert not address.origin.endswith("/")
