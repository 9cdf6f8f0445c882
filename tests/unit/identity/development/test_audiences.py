"""What tokens can be asked for."""

import pytest

from forehearth.identity.development.audiences import of_resource, of_scope
from forehearth.identity.development.denied import Denied

FOUNDRY = ["ai.azure.com", "cognitiveservices.azure.com", "ml.azure.com", "ai.cognitiveservices.com"]


@pytest.mark.parametrize("host", FOUNDRY)
@pytest.mark.parametrize("slash", ["", "/"])
def test_foundrys_audiences_are_kept_as_they_are_written(host: str, slash: str):
    audience = f"https://{host}{slash}"
    assert of_resource(audience) == audience
    assert of_scope(f"{audience}/.default") == audience


def test_what_openid_connect_adds_is_passed_over():
    assert of_scope("offline_access https://ai.azure.com/.default openid profile") == "https://ai.azure.com"


@pytest.mark.parametrize(
    "resource",
    [
        "https://management.azure.com",
        "https://management.azure.com/",
        "https://graph.microsoft.com",
        "https://ai.azure.com.evil.example",
        "https://ai.azure.com//",
        "https://AI.azure.com",
        "http://ai.azure.com",
        "ai.azure.com",
        " https://ai.azure.com",
        "https://ai.azure.com\n",
    ],
)
def test_no_other_audience(resource: str):
    with pytest.raises(Denied) as caught:
        of_resource(resource)
    assert (caught.value.error, caught.value.code) == ("invalid_resource", 500011)
    assert "https://ai.azure.com" in caught.value.message


@pytest.mark.parametrize(
    "scope",
    [
        "openid",
        "https://ai.azure.com",
        "https://ai.azure.com/user_impersonation",
        "https://ai.azure.com/.default https://ml.azure.com/.default",
        "https://ai.azure.com/.default https://ai.azure.com/.default",
        "https://ai.azure.com/.default\thttps://ml.azure.com/.default",
        ".default",
        "https://ai.azure.com/.default" + " openid" * 200,
    ],
)
def test_a_scope_is_one_audience(scope: str):
    with pytest.raises(Denied) as caught:
        of_scope(scope)
    assert caught.value.error in {"invalid_scope", "invalid_resource"}


@pytest.mark.parametrize("of", [of_scope, of_resource])
def test_nothing_is_asked_for(of):
    with pytest.raises(Denied, match="must contain the following parameter"):
        of("")
