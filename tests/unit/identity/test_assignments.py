"""Who gets which roles where: by user, group, application and app role, in one directory or in all."""

from typing import Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from forehearth.core.errors import Misconfigured
from forehearth.core.identity_settings import AssignmentSettings
from forehearth.core.permission import CONTROL, Permission
from forehearth.core.place import Place
from forehearth.core.principal import Principal
from forehearth.identity import roles
from forehearth.identity.assignments import Assignments

HERE, THERE = "here", "there"
TENANT = "aaaaaaaa-0000-4000-8000-00000000000A"
OTHER_TENANT = "bbbbbbbb-0000-4000-8000-00000000000b"
ALICE = "0a11ce00-0000-4000-8000-00000000000C"


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """What a token says."""

    issuer: str = "development"
    tenant: str = ""
    id: str = "somebody"
    kind: Literal["user", "application"] = "user"
    application: str = ""
    roles: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()


def principal(token, *assignments, resource=HERE):
    """The holder of `token`, as the server makes it."""
    grants = Assignments(assignments, default=HERE).grants_of(token).get(resource, ())
    return Principal(name="n", kind=token.kind, id=token.id, tenant=token.tenant, grants=grants)


def role(name="Foundry User", **rest):
    return AssignmentSettings(role=name, **rest)


def may(who, permission=Permission.CHAT, *, resource=HERE, project="", agent=""):
    return who.may(permission, Place(resource=resource, project=project, agent=agent))


HOLDERS = [
    ({"user": "u"}, Token(id="u")),
    ({"group": "g"}, Token(groups=frozenset({"f", "g"}))),
    ({"group": "g"}, Token(kind="application", groups=frozenset({"g"}))),
    ({"application": "oid"}, Token(kind="application", id="oid", application="client")),
    ({"application": "client"}, Token(kind="application", id="oid", application="client")),
    ({"app_role": "r"}, Token(roles=frozenset({"q", "r"}))),
    ({"app_role": "r"}, Token(kind="application", roles=frozenset({"r"}))),
]


@pytest.mark.parametrize(("who", "token"), HOLDERS)
def test_a_holder_has_the_role_that_names_them(who, token):
    assert may(principal(token, role(**who)))


@pytest.mark.parametrize(
    ("who", "token"),
    [
        ({"user": "u"}, Token(id="v")),
        ({"user": "u"}, Token(kind="application", id="u", application="u")),
        ({"user": "u"}, Token(groups=frozenset({"u"}), roles=frozenset({"u"}))),
        ({"application": "client"}, Token(id="v", application="client")),
        ({"application": "client"}, Token(id="client")),
        ({"group": "g"}, Token(id="g", roles=frozenset({"g"}))),
        ({"app_role": "r"}, Token(id="r", groups=frozenset({"r"}))),
        ({"app_role": "Reader"}, Token(roles=frozenset({"reader"}))),
        ({"user": "Alice"}, Token(id="alice")),
        ({"user": "u"}, Token(id="")),
    ],
)
def test_nobody_else_has_it(who, token):
    assert principal(token, role(**who)).grants == ()


def test_who_has_no_role_may_do_nothing():
    nobody = principal(Token())
    for permission in Permission:
        assert not may(nobody, permission)
        assert not may(nobody, permission, project="sales")


@pytest.mark.parametrize("written", [ALICE.lower(), ALICE.upper(), ALICE])
@pytest.mark.parametrize("sent", [ALICE.lower(), ALICE.upper()])
def test_a_guid_is_the_same_in_capitals(written, sent):
    assert may(principal(Token(id=sent), role(user=written)))
    assert may(principal(Token(groups=frozenset({sent})), role(group=written)))


@pytest.mark.parametrize(
    ("tenant", "of_the_token", "allowed"),
    [
        (None, TENANT, True),
        (None, "", True),
        (TENANT, TENANT.lower(), True),
        (TENANT.lower(), TENANT, True),
        (TENANT, OTHER_TENANT, False),
        (TENANT, "", False),
    ],
)
def test_a_directory_can_be_asked_for(tenant, of_the_token, allowed):
    token = Token(id="u", tenant=of_the_token, groups=frozenset({"g"}), roles=frozenset({"r"}))
    for who in ({"user": "u"}, {"group": "g"}, {"app_role": "r"}):
        assert may(principal(token, role(**who, tenant=tenant))) is allowed


def test_a_role_at_a_resource_counts_in_it_and_in_no_other():
    default, named = role(user="u"), role(user="u", resource=THERE)
    assert may(principal(Token(id="u"), default))
    assert may(principal(Token(id="u"), default), project="sales")
    assert not may(principal(Token(id="u"), default, resource=THERE), resource=THERE)
    assert may(principal(Token(id="u"), named, resource=THERE), resource=THERE)
    assert principal(Token(id="u"), named).grants == ()


def test_a_role_in_a_project_counts_in_it_alone():
    somebody = principal(Token(id="u"), role(user="u", project="sales"))
    assert may(somebody, project="sales")
    assert may(somebody, Permission.CALL_AGENT, project="sales", agent="helper")
    assert not may(somebody, project="default")
    assert not may(somebody)


def test_owning_a_project_is_not_owning_its_resource():
    owner = principal(Token(id="u"), role("Owner", user="u", project="sales"))
    assert not may(owner, Permission.ADMINISTER)
    assert may(principal(Token(id="u"), role("Owner", user="u")), Permission.ADMINISTER)


@pytest.mark.parametrize("name", ["Foundry User", "Foundry Agent Consumer"])
def test_a_role_at_an_agent_is_for_calling_it_and_for_nothing_else(name):
    somebody = principal(Token(id="u"), role(name, user="u", project="sales", agent="helper"))
    assert may(somebody, Permission.CALL_AGENT, project="sales", agent="helper")
    assert not may(somebody, Permission.CALL_AGENT, project="sales", agent="other")
    assert not may(somebody, Permission.CALL_AGENT, project="sales")
    assert not may(somebody, Permission.CHAT, project="sales", agent="helper")


def test_a_role_of_the_resource_level_ends_where_projects_begin():
    somebody = principal(Token(id="u"), role("Cognitive Services OpenAI User", user="u"))
    assert may(somebody)
    assert not may(somebody, project="default")
    assert not may(somebody, Permission.MODELS_CHAT)


def test_roles_add_up():
    assignments = [
        role("Foundry Account Owner", user="u"),
        role("Foundry Agent Consumer", group="g"),
        role("Cognitive Services OpenAI User", app_role="r"),
        role("Reader", user="u"),
    ]
    somebody = principal(Token(id="u", groups=frozenset({"g"}), roles=frozenset({"r"})), *assignments)
    for permission in (Permission.ADMINISTER, Permission.CALL_AGENT, Permission.CHAT):
        assert may(somebody, permission)
    assert not may(somebody, Permission.MODELS_CHAT)


def test_the_same_role_given_twice_is_one():
    token = Token(id="u", groups=frozenset({"g"}))
    once = principal(token, role("Foundry User", user="u"))
    assert principal(token, role("Azure AI User", user="u"), role(group="g"), role(user="u")).grants == once.grants


def test_an_unknown_role_stops_the_start_and_says_where_it_stands():
    with pytest.raises(Misconfigured) as caught:
        Assignments([role(user="u"), role("Foundry Usr", user="v")], default=HERE)
    assert caught.value.message == (
        "identity.assignments[1].role: there is no role 'Foundry Usr': did you mean 'Foundry User'?"
    )


NAMES = some.sampled_from(["a", "A", ALICE.lower(), ALICE.upper()])
TENANTS = some.sampled_from([TENANT, TENANT.lower(), OTHER_TENANT])
ASSIGNMENTS = some.builds(
    lambda who, holder, at, **rest: AssignmentSettings(**{who: holder}, **at, **rest),
    some.sampled_from(["user", "group", "application", "app_role"]),
    NAMES,
    some.sampled_from([{}, {"project": "sales"}, {"project": "sales", "agent": "helper"}]),
    role=some.sampled_from([each.name for each in roles.ROLES]),
    tenant=some.none() | TENANTS,
    resource=some.sampled_from([None, HERE, THERE]),
)
TOKENS = some.builds(
    Token,
    tenant=some.just("") | TENANTS,
    id=NAMES,
    kind=some.sampled_from(["user", "application"]),
    application=some.just("") | NAMES,
    roles=some.frozensets(NAMES, max_size=2),
    groups=some.frozensets(NAMES, max_size=2),
)
PLACES = some.builds(
    lambda resource, below: Place(resource=resource, **below),
    some.sampled_from([HERE, THERE]),
    some.sampled_from([{}, {"project": "default"}, {"project": "sales"}, {"project": "sales", "agent": "helper"}]),
)


def is_same(one, other):
    return one == other or one.lower() == other.lower() == ALICE.lower()


def allowed(assignment, token, permission, place):
    """What one assignment says, in its own words."""
    called = {
        "user": [token.id] if token.kind == "user" else [],
        "application": [token.id, token.application] if token.kind == "application" else [],
        "group": token.groups,
        "app_role": token.roles,
    }
    is_for = any(
        wanted is not None and any(is_same(wanted, name) for name in called[who])
        for who, wanted in ((who, getattr(assignment, who)) for who in called)
    )
    at = [assignment.resource or HERE, assignment.project, assignment.agent]
    within = all(
        want in (None, is_) for want, is_ in zip(at, [place.resource, place.project, place.agent], strict=True)
    )
    found = roles.named(assignment.role)
    return (
        is_for
        and within
        and (assignment.tenant is None or assignment.tenant.lower() == token.tenant.lower())
        and permission in found.permissions
        and not (found.resource_level and place.project)
        and not (assignment.project and permission in CONTROL)
        and not (assignment.agent and permission is not Permission.CALL_AGENT)
    )


@settings(max_examples=1_500, deadline=None)
@given(some.lists(ASSIGNMENTS, max_size=6), TOKENS, some.sampled_from(list(Permission)), PLACES)
def test_what_is_allowed_is_what_one_of_the_assignments_says(assignments, token, permission, place):
    somebody = principal(token, *assignments, resource=place.resource)
    assert somebody.may(permission, place) is any(allowed(each, token, permission, place) for each in assignments)


TWO = ("entra", "one")


@pytest.mark.parametrize("who", [{"user": "u"}, {"group": "g"}, {"app_role": "r"}])
def test_an_id_of_one_issuer_is_nobodys_at_another(who):
    given = Assignments([role(issuer="one", **who)], default=HERE, issuers=TWO)
    held = {"id": "u", "groups": frozenset({"g"}), "roles": frozenset({"r"})}
    assert given.grants_of(Token(issuer="one", **held))
    assert not given.grants_of(Token(issuer="entra", **held))
    assert not given.grants_of(Token(issuer="development", **held))


def test_where_there_is_one_issuer_it_is_meant():
    given = Assignments([role(user="u")], default=HERE, issuers=["one"])
    assert given.grants_of(Token(issuer="one", id="u"))


@pytest.mark.parametrize(
    ("issuer", "says"),
    [(None, "say whose id this is: entra, one"), ("two", "there is no issuer 'two': there are entra, one")],
)
def test_whose_id_it_is_has_to_be_clear(issuer, says):
    with pytest.raises(Misconfigured, match=says):
        Assignments([role(user="u", issuer=issuer)], default=HERE, issuers=TWO)
