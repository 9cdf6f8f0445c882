"""Role assignments: to whom, where and by whom they can be made; what a key loses and gains by them; how they end."""

import msgspec
import pytest

from forehearth.admin.role_scope import Holders
from forehearth.core.document import StoreFailed
from forehearth.core.errors import Conflict, InvalidField, NotAuthenticated, NotFound, PermissionDenied
from forehearth.core.permission import Permission
from forehearth.core.place import Place
from forehearth.core.principal import Grant
from forehearth.documents.repository import Order
from forehearth.identity.claims import Claims
from forehearth.stores.memory import MemoryDocuments
from tests.unit.admin.offices import DIRECTORY, TestOffice, owner
from tests.unit.identity.keyed import DEVELOPMENT, OTHER, RESOURCE, head

GUID = "12345678-1234-1234-1234-ABCDEFABCDEF"
AT = Place(resource=RESOURCE)
KEY = {"principal_type": "key", "principal_id": "shop"}


@pytest.fixture
async def office():
    async with TestOffice() as office:
        yield office


def account_owner(**rest):
    grant = Grant(place=AT, permissions=frozenset({Permission.ADMINISTER}), assigns=frozenset({"Foundry User"}))
    return owner(grants=(grant,), **rest)


def grants(office, resource=RESOURCE, **claims):
    token = Claims(**{"issuer": "one", "id": "u", "kind": "user", "name": "u", "expires": 2e9} | claims)
    return office.assignments.grants_of(token).get(resource, ())


def opens(office, issued):
    principal = office.principal(issued.key)
    return {each for each in Permission if principal.may(each, AT)}


async def maker(office, **scope):
    """Who works with a new key that opens /admin."""
    issued = await office.make(name="boss", admin=True, **scope)
    return office.principal(issued.key)


# To whom


async def test_a_role_counts_once_it_is_assigned_and_not_once_it_is_removed(office):
    assert grants(office) == ()
    made = await office.assign("foundry user", project="sales")
    (grant,) = grants(office)
    assert grant.place == Place(resource=RESOURCE, project="sales")
    assert made.role == "Foundry User"
    assert made.created == int(office.clock.unix())
    assert office.forgotten == 1
    await office.roles.remove(owner(), RESOURCE, made.id)
    assert grants(office) == ()
    assert office.forgotten == 2
    with pytest.raises(NotFound):
        await office.roles.get(RESOURCE, made.id)


@pytest.mark.parametrize(
    ("scope", "claims"),
    [
        ({"principal_type": "group", "principal_id": "g"}, {"groups": frozenset({"g"})}),
        ({"principal_type": "app_role", "principal_id": "r"}, {"roles": frozenset({"r"})}),
        ({"principal_type": "application", "principal_id": "c"}, {"kind": "application", "application": "c"}),
        ({"issuer": "entra", "principal_id": GUID}, {"issuer": "entra", "id": GUID.lower(), "tenant": "t"}),
        (
            {"issuer": "entra", "principal_id": GUID, "tenant": DIRECTORY.upper()},
            {"issuer": "entra", "id": GUID, "tenant": DIRECTORY},
        ),
        ({"issuer": "entra", "principal_type": "app_role", "principal_id": "R"}, {"issuer": "entra", "roles": {"R"}}),
        ({"issuer": "development", "principal_id": "developer"}, {"issuer": "development", "id": "dev-oid"}),
        ({"issuer": "development", "principal_id": "dev-oid"}, {"issuer": "development", "id": "dev-oid"}),
    ],
)
async def test_everybody_who_can_hold_a_role(office, scope, claims):
    await office.assign("Foundry User", **scope)
    assert len(grants(office, **claims)) == 1


async def test_at_each_scope(office):
    for scope in ({}, {"project": "default"}, {"project": "sales", "agent": "helper"}):
        await office.assign("Foundry User", **scope)
    places = {(each.place.project, each.place.agent) for each in grants(office)}
    assert places == {("", ""), ("default", ""), ("sales", "helper")}


WRONG = [
    ("Foundry Usr", {}, "role", "did you mean 'Foundry User'?"),
    ("", {}, "role", "there is no role ''"),
    ("x" * 5_000, {}, "role", "there is no role"),
    ("Foundry User", {"principal_id": ""}, "principalId", "1 to 256 characters"),
    ("Foundry User", {"principal_id": "u" * 257}, "principalId", "1 to 256 characters"),
    ("Foundry User", {"principal_id": "u\n"}, "principalId", "can be printed"),
    ("Foundry User", {"principal_id": "fh-" + "a" * 49}, "principalId", "looks like a key"),
    ("Foundry User", {"issuer": None}, "issuer", "say whose id it is: entra, one"),
    ("Foundry User", {"issuer": "on"}, "issuer", "there is no issuer 'on'"),
    ("Foundry User", {"issuer": "entra"}, "principalId", "a GUID such as"),
    ("Foundry User", {"issuer": "entra", "principal_type": "group"}, "principalId", "object id"),
    ("Foundry User", {"issuer": "entra", "principal_type": "application"}, "principalId", "client id"),
    ("Foundry User", {"issuer": "development", "principal_id": "nobody"}, "principalId", "there are 'developer'"),
    ("Foundry User", {"issuer": "development", "principal_type": "group"}, "principalId", "there is none"),
    ("Foundry User", {"issuer": "entra", "principal_id": GUID, "tenant": GUID}, "tenant", DIRECTORY),
    ("Foundry User", {"tenant": DIRECTORY}, "tenant", "of no directory"),
    ("Foundry User", {"issuer": "development", "principal_id": "developer", "tenant": "x"}, "tenant", "directory"),
    ("Foundry User", {"project": "sale"}, "project", "did you mean 'sales'?"),
    ("Foundry User", {"project": ""}, "project", "there is no project ''"),
    ("Foundry User", {"agent": "helper"}, "agent", "an agent is in a project"),
    ("Foundry User", {"project": "sales", "agent": "a b"}, "agent", "at most 128"),
    ("Owner", {"project": "sales"}, "project", "allows nothing in a project"),
    ("Cognitive Services OpenAI User", {"project": "sales"}, "project", "allows nothing in a project"),
    ("Owner", {"project": "sales", "agent": "helper"}, "agent", "allows nothing at an agent"),
    ("Foundry User", {**KEY, "principal_id": "till"}, "principalId", "there is no key 'till'"),
    ("Foundry User", {**KEY, "principal_id": "key_" + "0" * 32}, "principalId", "there is no key"),
    ("Foundry User", {**KEY, "project": "sales"}, "project", "a key opens nothing in a project"),
    ("Foundry User", {**KEY, "issuer": "one"}, "issuer", "a key has none"),
    ("Foundry User", {**KEY, "tenant": DIRECTORY}, "tenant", "a key has none"),
    ("Owner", KEY, "role", "when it is made with 'admin'"),
    ("Foundry Account Owner", KEY, "role", "no data action that a key can use"),
    ("Foundry Agent Consumer", KEY, "role", "no data action that a key can use"),
    ("Reader", KEY, "role", "no data action that a key can use"),
    ("Cognitive Services User", KEY, "role", "no data action that a key can use"),
]


@pytest.mark.parametrize(("role", "scope", "param", "says"), WRONG)
async def test_what_is_wrong_is_named_and_changes_nothing(office, role, scope, param, says):
    issued = await office.make()
    before = opens(office, issued)
    with pytest.raises(InvalidField) as caught:
        await office.assign(role, **scope)
    assert caught.value.param == param
    assert says in caught.value.message
    assert len(caught.value.message) < 500
    assert await office.documents.of_all_places("role_assignment") == []
    assert opens(office, issued) == before


async def test_a_key_of_another_resource_and_none_are_told_alike(office):
    await office.make(name="theirs", resource=OTHER)
    said = []
    for name in ("theirs", "nobody"):
        with pytest.raises(InvalidField) as caught:
            await office.assign("Foundry User", principal_type="key", principal_id=name)
        said.append(caught.value.message.replace(name, ""))
    assert said[0] == said[1]


async def test_where_there_is_one_issuer_it_is_meant(office):
    office.roles._tools = msgspec.structs.replace(office.roles._tools, holders=Holders(issuers=("one",)))
    assert (await office.assign("Foundry User", issuer=None)).issuer == "one"


async def test_a_role_that_allows_nothing_here_can_be_assigned_as_in_azure(office):
    for role in ("Reader", "Contributor", "Cognitive Services User"):
        await office.assign(role)
    assert all(not each.permissions for each in grants(office))


@pytest.mark.parametrize(
    ("role", "scope", "id_"),
    [
        ("Foundry User", {"project": "sales"}, None),
        ("azure ai user", {"project": "sales"}, None),
        ("Owner", {"principal_id": "root"}, "configured-0"),
    ],
)
async def test_the_same_again_is_a_conflict(office, role, scope, id_):
    made = await office.assign("Foundry User", project="sales")
    with pytest.raises(Conflict, match=id_ or made.id):
        await office.assign(role, **scope)


# Keys


async def test_a_role_narrows_a_key_that_opened_all_of_inference(office):
    issued = await office.make()
    assert Permission.MODELS_CHAT in opens(office, issued)
    made = await office.assign("Cognitive Services OpenAI User", **KEY)
    assert (made.principal_id, made.principal_name) == (issued.record.id, "shop")
    assert Permission.CHAT in opens(office, issued)
    assert Permission.MODELS_CHAT not in opens(office, issued)
    assert (await office.keys.get(RESOURCE, "shop")).roles_only


async def test_to_take_the_last_role_from_a_key_opens_nothing(office):
    issued = await office.make()
    made = await office.assign("Cognitive Services OpenAI User", **KEY)
    await office.roles.remove(owner(), RESOURCE, made.id)
    assert opens(office, issued) == set()


async def test_to_take_a_role_from_a_key_that_was_never_confined_opens_nothing(office):
    """As it would be after a write by hand, or a fault between two writes."""
    issued = await office.make()
    made = await office.assign("Cognitive Services OpenAI User", **KEY)
    document = await office.documents.get(AT, "key", "shop")
    await office.documents.replace(
        msgspec.structs.replace(document, body=document.body.replace(b'"roles_only":true', b'"roles_only":false')),
        etag=None,
    )
    await office.watch.refresh()
    assert Permission.MODELS_CHAT not in opens(office, issued)
    await office.roles.remove(owner(), RESOURCE, made.id)
    assert opens(office, issued) == set()


async def test_a_key_of_roles_only_opens_nothing_until_it_has_one(office):
    issued = await office.make(roles_only=True)
    assert opens(office, issued) == set()
    await office.assign("Foundry User", **KEY)
    assert Permission.CHAT in opens(office, issued)


async def test_a_key_that_is_ended_takes_its_roles_along(office):
    await office.make()
    await office.assign("Foundry User", **KEY)
    other = await office.assign("Foundry User")
    await office.keys.revoke(owner(), RESOURCE, "shop")
    (left,) = (await office.roles.page(RESOURCE, Order())).records[:-2]
    assert left.id == other.id


async def test_the_next_key_of_that_name_has_none_of_them(office):
    await office.make()
    await office.assign("Cognitive Services OpenAI User", **KEY)
    await office.keys.revoke(owner(), RESOURCE, "shop")
    again = await office.make()
    assert Permission.MODELS_CHAT in opens(office, again)


async def test_a_store_that_fails_between_the_two_writes_is_in_doubt_and_opens_nothing():
    class Half(MemoryDocuments):
        async def insert(self, document):
            if document.kind == "role_assignment":
                raise StoreFailed("the disk is full")
            return await super().insert(document)

    async with TestOffice(Half()) as office:
        issued = await office.make()
        with pytest.raises(StoreFailed) as caught:
            await office.assign("Foundry User", **KEY)
        assert caught.value.uncertain, "the key was confined: something was changed"
        await office.watch.refresh()
        assert opens(office, issued) == set()
        with pytest.raises(StoreFailed) as caught:
            await office.assign("Foundry User")
        assert not caught.value.uncertain


# By whom


async def test_account_owner_assigns_foundry_user_and_nothing_else(office):
    await office.assign("Foundry User", account_owner(), project="sales")
    for role in ("Owner", "Foundry Account Owner", "Foundry Owner", "Reader", "Foundry Agent Consumer"):
        with pytest.raises(PermissionDenied, match="roleAssignments/write"):
            await office.assign(role, account_owner(), principal_id="v")
    assert len(await office.documents.of_all_places("role_assignment")) == 1


async def test_who_could_not_assign_a_role_cannot_remove_it(office):
    made = await office.assign("Owner")
    with pytest.raises(PermissionDenied):
        await office.roles.remove(account_owner(), RESOURCE, made.id)
    assert len(grants(office)) == 1


async def test_owner_of_one_resource_assigns_nothing_at_another(office):
    with pytest.raises(PermissionDenied):
        await office.assign("Foundry User", owner(OTHER))


async def test_the_development_key_assigns_every_role(office):
    boss = office.ring.identify(head(DEVELOPMENT), RESOURCE, office.clock.unix())
    for number, role in enumerate(("Owner", "Foundry Owner", "Foundry User")):
        await office.assign(role, boss, principal_id=f"u{number}")


async def test_a_key_that_opens_admin_counts_as_account_owner(office):
    boss = await maker(office)
    await office.assign("Foundry User", boss)
    for role in ("Owner", "Foundry Account Owner", "Foundry Owner"):
        with pytest.raises(PermissionDenied):
            await office.assign(role, boss, principal_id="v")


@pytest.mark.parametrize(
    "limit",
    [
        {"deployments": ("chat",)},
        {"operations": ("embeddings",)},
        {"projects": ("sales",)},
        {"networks": ("10.0.0.0/8",)},
        {"expires": 1_900_000_000},
        {"roles_only": True},
    ],
)
async def test_a_limited_key_gives_no_role_to_who_is_not_limited_so(office, limit):
    issued = await office.make(name="boss", admin=True, **limit)
    boss = office.principal(issued.key, client="10.0.0.1")
    with pytest.raises(PermissionDenied, match="is limited in"):
        await office.assign("Foundry User", boss)
    await office.make()
    with pytest.raises(PermissionDenied, match="cannot give what it does not have"):
        await office.assign("Foundry User", boss, **KEY)


async def test_a_secret_that_ends_soon_gives_no_role_that_lasts(office):
    issued = await office.make(name="boss", admin=True)
    await office.keys.rotate(owner(), RESOURCE, "boss", overlap=60, at_once=False)
    with pytest.raises(PermissionDenied, match="limited in expires"):
        await office.assign("Foundry User", office.principal(issued.key))


async def test_a_limited_key_gives_roles_to_keys_that_are_within_it(office):
    boss = await maker(office, deployments=("chat",))
    issued = await office.make(deployments=("chat",))
    await office.assign("Cognitive Services OpenAI User", boss, **KEY)
    assert Permission.MODELS_CHAT not in opens(office, issued)


async def test_a_key_of_roles_gives_no_more_than_those(office):
    boss = await office.make(name="boss", admin=True, roles_only=True)
    await office.assign("Cognitive Services OpenAI User", principal_type="key", principal_id="boss")
    await office.make(roles_only=True)
    who = office.principal(boss.key)
    with pytest.raises(PermissionDenied, match="beyond it in roles"):
        await office.assign("Foundry User", who, **KEY)
    with pytest.raises(PermissionDenied, match="beyond it in roles"):
        await office.assign("Foundry User", who, principal_type="key", principal_id="boss")
    await office.assign("Cognitive Services OpenAI User", who, **KEY)


async def test_a_key_of_roles_makes_no_key_and_changes_none_that_may_do_more(office):
    boss = await office.make(name="boss", admin=True, roles_only=True)
    await office.assign("Cognitive Services OpenAI User", principal_type="key", principal_id="boss")
    who = office.principal(boss.key)
    with pytest.raises(PermissionDenied, match="beyond it in roles"):
        await office.make(who, name="free")
    await office.make(who, name="bound", roles_only=True)
    await office.keys.rotate(who, RESOURCE, "bound", overlap=0, at_once=True)
    await office.assign("Foundry User", principal_type="key", principal_id="bound")
    with pytest.raises(PermissionDenied, match="beyond it in roles"):
        await office.keys.rotate(who, RESOURCE, "bound", overlap=0, at_once=True)


async def test_a_key_that_was_revoked_meanwhile_gives_and_takes_nothing(office):
    boss = await maker(office)
    made = await office.assign("Foundry User")
    await office.keys.revoke(owner(), RESOURCE, "boss")
    with pytest.raises(NotAuthenticated):
        await office.assign("Foundry User", boss, principal_id="v")
    with pytest.raises(NotAuthenticated):
        await office.roles.remove(boss, RESOURCE, made.id)


# Lists


async def test_those_of_the_configuration_are_listed_and_stay(office):
    made = await office.assign("Foundry User")
    listed = (await office.roles.page(RESOURCE, Order())).records
    assert [each.id for each in listed] == [made.id, "configured-0", "configured-1"]
    assert (await office.roles.get(RESOURCE, "configured-1")).project == "sales"
    for id_ in ("configured-0", "configured-1"):
        with pytest.raises(Conflict, match=r"identity.assignments\[[01]\]"):
            await office.roles.remove(owner(), RESOURCE, id_)


async def test_each_resource_has_its_own(office):
    made = await office.assign("Foundry User")
    assert [each.id for each in (await office.roles.page(OTHER, Order())).records] == ["configured-2"]
    for id_ in (made.id, "configured-0"):
        with pytest.raises(NotFound):
            await office.roles.get(OTHER, id_)
        with pytest.raises(NotFound):
            await office.roles.remove(owner(OTHER), OTHER, id_)


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 100])
@pytest.mark.parametrize("count", [0, 1, 2, 3])
async def test_pages_have_everything_once(office, limit, count):
    made = [(await office.assign("Foundry User", principal_id=f"u{number}")).id for number in range(count)]
    found, after, pages = [], None, 0
    while True:
        page = await office.roles.page(RESOURCE, Order(limit=limit, after=after))
        assert 0 < len(page.records) <= limit
        found += [each.id for each in page.records]
        after, pages = page.after, pages + 1
        if after is None:
            break
    assert found == [*reversed(made), "configured-0", "configured-1"]
    assert pages == -(-(count + 2) // limit)


async def test_a_list_of_a_role_or_of_somebody(office):
    await office.assign("Foundry User")
    await office.assign("Owner")
    await office.assign("Reader", issuer="entra", principal_id=GUID)

    async def listed(**wanted):
        return [each.role for each in (await office.roles.page(RESOURCE, Order(), **wanted)).records]

    assert await listed(role="azure ai user") == ["Foundry User", "Foundry User"]
    assert await listed(principal="u") == ["Owner", "Foundry User"]
    assert await listed(principal="root") == ["Owner"]
    assert await listed(principal=GUID) == await listed(principal=GUID.lower()) == ["Reader"]
    assert await listed(principal="u", role="Owner") == ["Owner"]
    assert await listed(principal="nobody") == []
    with pytest.raises(InvalidField) as caught:
        await listed(role="none")
    assert caught.value.param == "role"


@pytest.mark.parametrize("after", ["configured-9", "assignment_none", "development-0"])
async def test_a_page_after_nothing(office, after):
    with pytest.raises(InvalidField) as caught:
        await office.roles.page(RESOURCE, Order(after=after))
    assert caught.value.param == "after"
