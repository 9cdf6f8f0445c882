"""Keys and role assignments of the store reach those who know callers, and what makes no sense opens nothing."""

import msgspec
import pytest

from forehearth.core.document import Document
from forehearth.core.endpoint import Endpoint
from forehearth.core.errors import PermissionDenied
from forehearth.core.identity_settings import AssignmentSettings
from forehearth.core.permission import CLASSIC_AGENTS, Permission
from forehearth.core.place import Place
from forehearth.core.principal import Principal
from forehearth.identity import assignment_records, key_records
from forehearth.identity.access import require
from forehearth.identity.assignment_records import AssignmentRecord, with_id
from forehearth.identity.assignments import Assignments
from forehearth.identity.claims import Claims
from forehearth.identity.stored import StoredIdentities
from tests.unit.identity.keyed import DEVELOPMENT, NOW, OTHER, RESOURCE, head, record, ring

KEY = "k" * 20
AT = Place(resource=RESOURCE)
OPENAI = {
    Permission.AUDIO,
    Permission.IMAGES,
    Permission.CHAT,
    Permission.COMPLETIONS,
    Permission.EMBEDDINGS,
    Permission.READ_MODELS,
    Permission.READ_OPENAI_DEPLOYMENTS,
    Permission.READ_RESPONSES,
    Permission.WRITE_RESPONSES,
    Permission.DELETE_RESPONSES,
    Permission.READ_FILES,
    *CLASSIC_AGENTS,
}
ALL_OF_INFERENCE = OPENAI | {
    Permission.WRITE_FILES,
    Permission.DELETE_FILES,
    Permission.READ_STORED,
    Permission.CHANGE_STORED,
    Permission.MODELS_CHAT,
    Permission.MODELS_EMBEDDINGS,
    Permission.MODELS_INFO,
    Permission.READ_DEPLOYMENTS,
}


class Known:
    def __init__(self, *configured):
        self.ring = ring()
        self.assignments = Assignments(configured, default=RESOURCE, issuers=("one",))
        self.forgotten = 0
        self._stored = StoredIdentities(self.ring, self.assignments, self._forget)

    def _forget(self):
        self.forgotten += 1

    def keys(self, *records):
        self._stored.followed[key_records.KIND](
            [kept(key_records.KIND, each.id, key_records.encode(each)) for each in records]
        )

    def roles(self, *records):
        self._stored.followed[assignment_records.KIND](
            [kept(assignment_records.KIND, each.id, assignment_records.encode(each)) for each in records]
        )

    def principal(self, key=KEY, resource=RESOURCE):
        return self.ring.identify(head(key), resource, NOW)

    def opens(self, key=KEY):
        principal = self.principal(key)
        return {each for each in Permission if principal.may(each, AT)}

    def grants(self, **claims):
        return self.assignments.grants_of(token(**claims)).get(RESOURCE, ())


def kept(kind, id, body):  # noqa: A002 - what it is
    return Document(place=AT, kind=kind, id=id, created=0, updated=0, body=body)


def token(**claims):
    return Claims(**{"issuer": "one", "id": "u", "kind": "user", "name": "u", "expires": NOW + 60.0} | claims)


def assignment(role="Foundry User", **rest):
    base = {"id": "", "principal_type": "user", "principal_id": "u", "issuer": "one", "resource": RESOURCE}
    return with_id(AssignmentRecord(role=role, **base | rest))


def key_role(role, key="key-1", **rest):
    return assignment(role, principal_type="key", principal_id=key, issuer="", **rest)


def test_a_key_without_roles_opens_what_keys_open():
    known = Known()
    known.keys(record(KEY))
    assert known.opens() == ALL_OF_INFERENCE


@pytest.mark.parametrize("first", ["keys", "roles"])
@pytest.mark.parametrize("confined", [True, False])
def test_a_key_with_a_role_opens_what_that_allows_whichever_is_heard_of_first(first, confined):
    known = Known()
    steps = {
        "keys": lambda: known.keys(record(KEY, roles_only=confined)),
        "roles": lambda: known.roles(key_role("Cognitive Services OpenAI User")),
    }
    steps.pop(first)()
    next(iter(steps.values()))()
    assert known.opens() == OPENAI


def test_a_key_of_roles_only_opens_nothing_without_one_and_all_of_them_together():
    known = Known()
    known.keys(record(KEY, roles_only=True))
    assert known.opens() == set()
    known.roles(key_role("Cognitive Services OpenAI User"), key_role("Foundry User"))
    assert known.opens() == ALL_OF_INFERENCE
    known.roles()
    assert known.opens() == set()


@pytest.mark.parametrize("role", ["Owner", "Foundry Account Owner", "Foundry Agent Consumer", "Reader", "Nonsense"])
def test_no_role_opens_to_a_key_what_is_closed_to_keys(role):
    """Whoever could write the store by hand included."""
    known = Known()
    known.keys(record(KEY, roles_only=True))
    known.roles(key_role(role))
    assert known.opens() == set()


@pytest.mark.parametrize("role", ["Owner", "Foundry User", "Foundry Owner"])
@pytest.mark.parametrize("admin", [True, False])
def test_admin_is_opened_by_how_a_key_was_made_and_by_no_role(role, admin):
    known = Known()
    known.keys(record(KEY, roles_only=True, admin=admin))
    known.roles(key_role(role))
    assert (Permission.ADMINISTER in known.opens()) is admin


def test_projects_and_agents_take_no_key_with_whatever_roles():
    known = Known()
    known.keys(record(KEY))
    known.roles(key_role("Foundry User"), key_role("Foundry User", project="sales"))
    principal = known.principal()
    for place in (Place(resource=RESOURCE, project="sales"), Place(resource=RESOURCE, project="sales", agent="a")):
        assert not any(principal.may(each, place) for each in Permission)


def test_a_role_in_a_project_is_none_at_the_resource():
    known = Known()
    known.keys(record(KEY, roles_only=True))
    known.roles(key_role("Foundry User", project="sales"))
    assert known.opens() == set()


def test_a_role_does_not_go_beyond_what_the_key_is_limited_to():
    known = Known()
    known.keys(record(KEY, operations=("embeddings",), deployments=("chat",)))
    known.roles(key_role("Foundry User"))
    assert Permission.EMBEDDINGS in known.opens()
    assert not known.opens() & {Permission.CHAT, Permission.MODELS_CHAT, Permission.COMPLETIONS}
    assert known.principal().deployments == {"chat"}


def test_a_role_of_one_key_is_none_of_another():
    known = Known()
    known.keys(record(KEY, roles_only=True), record("q" * 20, id="key-2", name="till", roles_only=True))
    known.roles(key_role("Foundry User"))
    assert known.opens("q" * 20) == set()


def test_the_development_key_opens_everything_whatever_is_stored():
    known = Known()
    known.roles(key_role("Reader", key="development"))
    assert known.opens(DEVELOPMENT) == ALL_OF_INFERENCE | {Permission.ADMINISTER}
    assert known.principal(DEVELOPMENT).may_assign("Owner", Place(resource=OTHER, project="sales"))


def test_a_role_of_the_store_adds_to_those_of_the_configuration_and_leaves_them():
    known = Known(AssignmentSettings(role="Owner", user="u"))
    assert [each.permissions for each in known.grants()] == [{Permission.ADMINISTER}]
    known.roles(assignment())
    assert len(known.grants()) == 2
    known.roles()
    assert [each.permissions for each in known.grants()] == [{Permission.ADMINISTER}]
    assert known.forgotten == 2


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "two"},
        {"issuer": ""},
        {"principal_id": "v"},
        {"principal_type": "application"},
        {"principal_type": "key"},
        {"tenant": "11111111-2222-3333-4444-555555555555"},
        {"resource": OTHER},
        {"role": "Nonsense"},
    ],
)
def test_a_role_of_the_store_is_for_nobody_else(change):
    known = Known()
    known.roles(msgspec.structs.replace(assignment(), **change))
    assert known.grants() == ()


def test_a_group_and_an_app_role_and_an_application():
    known = Known()
    known.roles(
        assignment(principal_type="group", principal_id="g"),
        assignment("Reader", principal_type="app_role", principal_id="r"),
        assignment("Owner", principal_type="application", principal_id="client"),
    )
    assert len(known.grants(id="x", groups=frozenset({"g"}), roles=frozenset({"r"}))) == 2
    assert len(known.grants(id="oid", kind="application", application="client")) == 1
    assert known.grants(id="oid", application="client") == ()


def test_what_cannot_be_read_is_said_and_hides_no_other(caplog):
    known = Known()
    odd = kept(assignment_records.KIND, "odd", b'{"id": "odd", "role": "Owner", "condition": "never"}')
    good = assignment()
    known._stored.followed[assignment_records.KIND](
        [odd, kept(assignment_records.KIND, good.id, assignment_records.encode(good))]
    )
    assert len(known.grants()) == 1
    assert "the role assignment odd in here cannot be read" in caplog.text
    known._stored.followed[key_records.KIND](
        [
            kept(key_records.KIND, "strange", b'{"shape": "new"}'),
            kept(key_records.KIND, "k", key_records.encode(record(KEY))),
        ]
    )
    assert known.principal() is not None
    assert "the key strange in here cannot be read" in caplog.text


def test_an_id_is_made_of_what_is_assigned_and_of_nothing_else():
    first = assignment(created=1, principal_name="a")
    assert first.id == assignment(created=2, principal_name="b").id
    others = [
        assignment("Owner"),
        assignment(principal_id="v"),
        assignment(principal_type="group"),
        assignment(issuer="two"),
        assignment(tenant="t"),
        assignment(resource=OTHER),
        assignment(project="sales"),
        assignment(project="sales", agent="a"),
        assignment(issuer="on", tenant="e"),
    ]
    assert len({first.id, *(each.id for each in others)}) == 1 + len(others)


@pytest.mark.parametrize(
    ("role", "may", "may_not"),
    [
        ("Owner", ["Owner", "Foundry User", "Reader"], []),
        ("Foundry Account Owner", ["Foundry User"], ["Owner", "Foundry Account Owner", "Foundry Owner", "Reader"]),
        ("Foundry Owner", [], ["Foundry User", "Reader"]),
        ("Contributor", [], ["Foundry User", "Reader"]),
    ],
)
def test_who_may_assign_what(role, may, may_not):
    known = Known(AssignmentSettings(role=role, user="u"))
    principal = Principal(name="u", kind="user", grants=known.grants())
    within = Place(resource=RESOURCE, project="sales", agent="a")
    assert [each for each in (*may, *may_not) if principal.may_assign(each, AT)] == may
    assert [each for each in (*may, *may_not) if principal.may_assign(each, within)] == may
    assert not any(principal.may_assign(each, Place(resource=OTHER)) for each in (*may, *may_not))


def test_owning_a_project_assigns_nothing_beyond_it():
    known = Known(AssignmentSettings(role="Owner", user="u", project="sales"))
    principal = Principal(name="u", kind="user", grants=known.grants())
    assert not principal.may_assign("Reader", AT)
    assert not principal.may(Permission.ADMINISTER, AT)


def test_who_is_refused_is_named_by_the_refusal():
    known = Known()
    known.keys(record(KEY))
    endpoint = Endpoint(method="GET", path="/admin/keys", permission=Permission.ADMINISTER, name="keys.list")
    with pytest.raises(PermissionDenied) as caught:
        require(known.principal(), endpoint, AT)
    assert caught.value.principal.id == "key-1"
