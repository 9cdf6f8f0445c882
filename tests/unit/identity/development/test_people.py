"""Who the issuer knows."""

import uuid

import pytest

from forehearth.core.errors import Misconfigured
from forehearth.core.identity_settings import (
    DevelopmentApplicationSettings,
    DevelopmentIssuerSettings,
    DevelopmentUserSettings,
)
from forehearth.identity.development.denied import Denied
from forehearth.identity.development.people import SIGN_ON_CLIENT, People
from tests.unit.identity.development.cast import APPLICATION, GROUP, MACHINE, MARIA, SETTINGS

PEOPLE = People(SETTINGS)


def test_the_developer_is_always_there():
    assert People(DevelopmentIssuerSettings()).person("developer") == PEOPLE.developer
    assert uuid.UUID(PEOPLE.developer.id)


def test_the_developer_can_be_given_an_id_and_groups():
    settings = DevelopmentIssuerSettings(users={"developer": DevelopmentUserSettings(id=MARIA, groups=("g",))})
    assert (People(settings).developer.id, People(settings).developer.groups) == (MARIA, ("g",))


def test_an_id_that_is_not_given_is_the_same_for_ever():
    settings = DevelopmentIssuerSettings(users={"otto": DevelopmentUserSettings()})
    assert People(settings).person("otto").id == People(settings).person("otto").id != PEOPLE.developer.id
    assert PEOPLE.developer.id == "c8e121de-aa7b-55ea-9d7e-c64318f7da2c"


def test_who_is_not_there():
    with pytest.raises(Denied, match="developer and maria"):
        PEOPLE.person("mallory")
    with pytest.raises(Denied) as caught:
        PEOPLE.application("aaaaaaaa-0000-4000-8000-00000000ffff")
    assert (caught.value.error, caught.value.code) == ("unauthorized_client", 700016)


def test_ids_are_the_same_in_capitals():
    assert PEOPLE.application(APPLICATION.upper()).name == "robot"
    capital = {"users": {"maria": DevelopmentUserSettings(id=MARIA.upper())}}
    assert People(DevelopmentIssuerSettings(**capital)).person("maria").id == MARIA


@pytest.mark.parametrize(
    ("selector", "value"),
    [
        ("client_id", MACHINE),
        ("client_id", MACHINE.upper()),
        ("object_id", PEOPLE.application(MACHINE).id),
        ("principal_id", PEOPLE.application(MACHINE).id),
        ("mi_res_id", "/subscriptions/s/resourceGroups/g/providers/p/userAssignedIdentities/Machine"),
        ("msi_res_id", "/x/machine"),
    ],
)
def test_a_managed_identity_is_found_by_any_of_its_ids(selector: str, value: str):
    found = PEOPLE.managed_identity({"resource": "r", selector: value})
    assert found is not None
    assert found.name == "machine"


@pytest.mark.parametrize(
    "asked",
    [
        {"client_id": APPLICATION},
        {"client_id": PEOPLE.application(MACHINE).id},
        {"object_id": MACHINE},
        {"object_id": PEOPLE.developer.id},
        {"client_id": ""},
        {"mi_res_id": "/x/robot"},
        {"mi_res_id": "/x/machine/"},
        {"mi_res_id": "/x/notmachine"},
        {"client_id": MACHINE, "object_id": PEOPLE.application(MACHINE).id},
    ],
    ids=["has a secret", "other id", "other kind", "a person", "empty", "secret by path", "slash", "part", "two ids"],
)
def test_what_is_no_managed_identity(asked: dict[str, str]):
    with pytest.raises(Denied, match="Identity not found"):
        PEOPLE.managed_identity(asked)


def test_nobody_is_asked_for():
    assert PEOPLE.managed_identity({"resource": "r"}) is None


def test_what_people_sign_in_with():
    assert PEOPLE.may_sign_in_with(SIGN_ON_CLIENT.upper())
    assert PEOPLE.may_sign_in_with(APPLICATION)
    assert not PEOPLE.may_sign_in_with("")
    assert not PEOPLE.may_sign_in_with(MARIA)


def test_two_with_one_id_are_refused():
    twice = {name: DevelopmentUserSettings(id=MARIA) for name in ("one", "two")}
    with pytest.raises(Misconfigured, match=r"users\.two\.id: one has the same"):
        People(DevelopmentIssuerSettings(users=twice))
    apps = {name: DevelopmentApplicationSettings(client_id=MACHINE) for name in ("one", "two")}
    with pytest.raises(Misconfigured, match=r"applications\.two\.client_id"):
        People(DevelopmentIssuerSettings(applications=apps))


def test_everybody_is_known_by_name_and_by_every_id():
    people = People(SETTINGS)
    ids = people.ids()
    assert ids["user"]["maria"] == ids["user"][MARIA] == MARIA
    assert ids["user"]["developer"] == people.developer.id
    robot = people.application(APPLICATION)
    assert ids["application"]["robot"] == ids["application"][robot.id] == robot.id
    assert ids["application"][APPLICATION] == APPLICATION
    assert set(ids["group"]) == {GROUP}
    assert set(ids["app_role"]) == {"Painter", "Machinist"}
