"""What stands before the entrance: prefixes and subscription keys, on the raw path and nothing decoded."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forehearth.core.exchange import Head
from forehearth.core.settings import ServerSettings, SubscriptionKeySettings
from forehearth.wire import paths
from forehearth.wire.api_management import AsApiManagement, as_api_management


class Door:
    """An entrance that says what it was shown."""

    def accept(self, head):
        self.head = head


def understood(head, *, prefixes=("/team-a", "/team-a/eu", "/b"), header="X-Team-Key", query="subscription-key"):
    door = Door()
    AsApiManagement(door, prefixes, SubscriptionKeySettings(header=header, query=query)).accept(head)
    return door.head


def head(path="/openai/v1/models", query=b"", **headers):
    given = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    return Head(method=b"GET", raw_path=path.encode(), query=query, headers=given)


@pytest.mark.parametrize(
    ("path", "prefix", "rest"),
    [
        ("/team-a/openai/v1/models", "/team-a", "/openai/v1/models"),
        ("/team-a/eu/models", "/team-a/eu", "/models"),
        ("/b/api/projects/p", "/b", "/api/projects/p"),
        ("/team-ab/models", "", "/team-ab/models"),
        ("/team-a", "", "/team-a"),
        ("/TEAM-A/models", "", "/TEAM-A/models"),
        ("/team%2Da/models", "", "/team%2Da/models"),
        ("//team-a/models", "", "//team-a/models"),
        ("/openai/v1/models", "", "/openai/v1/models"),
        ("/team-a/team-a/models", "/team-a", "/team-a/models"),
    ],
)
def test_a_prefix_is_taken_off_once_and_as_it_is_written(path, prefix, rest):
    found = understood(head(path))
    assert (found.prefix, found.raw_path) == (prefix.encode(), rest.encode())


def test_links_have_the_prefix():
    link = paths.link(understood(head("/team-a/models", host=b"gateway")), {"skip": "1"})
    assert link == "http://gateway/team-a/models?skip=1"


@pytest.mark.parametrize(
    ("query", "rest", "key"),
    [
        (b"subscription-key=K", b"", b"K"),
        (b"api-version=v1&Subscription-Key=K%2B1&limit=2", b"api-version=v1&limit=2", b"K+1"),
        (b"subscription-key=A&subscription-key=B", b"", b"A"),
        (b"subscription-key=", b"", None),
        (b"my-subscription-key=K", b"my-subscription-key=K", None),
        (b"", b"", None),
    ],
)
def test_a_key_in_the_query_becomes_a_header_and_leaves_the_query(query, rest, key):
    found = understood(head(query=query))
    assert (found.query, found.headers.get(b"ocp-apim-subscription-key")) == (rest, key)


def test_a_header_of_another_name_is_one_more_form():
    found = understood(head(x_team_key=b"K", api_key=b"dummy")).headers
    assert (found[b"ocp-apim-subscription-key"], found[b"api-key"]) == (b"K", b"dummy")


def test_a_header_that_is_there_already_stays():
    found = understood(head(x_team_key=b"K", ocp_apim_subscription_key=b"other")).headers
    assert (found[b"ocp-apim-subscription-key"], found[b"x-api-key"]) == (b"other", b"K")


def test_without_the_settings_nothing_is_taken_from_a_query():
    given = head("/team-a/models", b"subscription-key=K")
    assert understood(given, prefixes=(), header="Ocp-Apim-Subscription-Key", query=None) == given


def test_where_nothing_is_asked_for_nothing_stands_before():
    door = Door()
    assert as_api_management(door, (), SubscriptionKeySettings()) is door
    assert as_api_management(door, ("/a",), SubscriptionKeySettings()) is not door


@pytest.mark.parametrize(
    "prefix", ["team", "/", "/a/", "//a", "/openai", "/openai/x", "/api/a", "/a b", "/../a", "/%41"]
)
def test_what_is_no_prefix(prefix):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"prefixes": [prefix]}, ServerSettings)


@pytest.mark.parametrize("header", ["Host", "content-length", "Authorization", "a b", ""])
def test_what_is_no_header_for_a_key(header):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"subscription_key": {"header": header}}, ServerSettings)


@given(path=st.binary(max_size=60), query=st.binary(max_size=60))
def test_whatever_comes_nothing_is_lost_but_the_key(path, query):
    given = Head(method=b"GET", raw_path=path, query=query)
    found = understood(given)
    assert found.prefix + found.raw_path == path
    kept = [pair for pair in query.split(b"&") if pair.partition(b"=")[0].lower() != b"subscription-key"]
    assert found.query == b"&".join(kept)
