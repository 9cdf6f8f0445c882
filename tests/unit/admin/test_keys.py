"""Keys are made, changed for new ones without a gap, and ended; no key makes one that may do more."""

import pytest

from forehearth.core.call import Operation
from forehearth.core.document import Document
from forehearth.core.errors import Conflict, InvalidField, NotAuthenticated, NotFound, PermissionDenied
from forehearth.core.permission import Permission
from forehearth.core.place import Place
from forehearth.documents.repository import NEWEST, Order
from forehearth.identity.key_text import is_whole
from forehearth.stores.memory import MemoryDocuments
from tests.unit.admin.offices import TestOffice, owner
from tests.unit.identity.keyed import DEVELOPMENT, OTHER, RESOURCE, head

DAY = 86_400


@pytest.fixture
async def desk():
    async with TestOffice() as office:
        yield office


async def test_a_new_key_is_good_at_once_and_kept_as_a_hash(desk):
    issued = await desk.make()
    assert is_whole(issued.key.reveal())
    assert desk.principal(issued.key).name == "shop"
    kept = b"".join(each.body for each in await desk.documents.of_all_places("key"))
    assert issued.key.reveal().encode() not in kept
    assert issued.key.reveal()[3:20].encode() not in kept
    assert issued.record.secrets[0].hint == issued.key.reveal()[-4:]
    assert issued.key.reveal() not in repr(issued)


async def test_a_scope_is_kept_and_followed(desk):
    issued = await desk.make(
        deployments=("chat", "chat"),
        operations=("chat_completions",),
        projects=("sales",),
        networks=("10.0.0.0/8", "::ffff:192.0.2.0/120"),
        expires=int(desk.clock.unix()) + DAY,
    )
    record = await desk.keys.get(RESOURCE, issued.record.id)
    assert record == issued.record
    assert record.deployments == ("chat",)
    assert record.operations == (Operation.CHAT,)
    assert record.networks == ("10.0.0.0/8", "192.0.2.0/24")
    principal = desk.principal(issued.key, client="192.0.2.9")
    assert principal.deployments == {"chat"}
    assert not principal.may(Permission.EMBEDDINGS, Place(resource=RESOURCE))
    await desk.clock.advance(DAY)
    assert desk.principal(issued.key, client="192.0.2.9") is None


@pytest.mark.parametrize(
    ("scope", "param", "said"),
    [
        ({"name": ""}, "name", "at most 128 letters"),
        ({"name": "a b"}, "name", "at most 128 letters"),
        ({"name": "../keys"}, "name", "begin with a letter"),
        ({"name": "n" * 129}, "name", "at most 128 letters"),
        ({"name": "key_mine"}, "name", "as ids do"),
        ({"name": "shop\n"}, "name", "letters"),
        ({"name": "fh-" + "x" * 49}, "name", "looks like a key"),
        ({"deployments": ()}, "deployments", "leave it out for no bound"),
        ({"deployments": ("chatt",)}, "deployments", "did you mean 'chat'?"),
        ({"deployments": ("default",)}, "deployments", "the deployment that it stands for, 'chat'"),
        ({"deployments": ("chat",) * 101}, "deployments", "more than 100"),
        ({"operations": ("chat",)}, "operations", "did you mean 'chat_completions'?"),
        ({"operations": ()}, "operations", "leave it out"),
        ({"projects": ("marketing",)}, "projects", "there are 'default' and 'sales'"),
        ({"networks": ("10.0.0.1/8",)}, "networks", "did you mean 10.0.0.0/8?"),
        ({"networks": ()}, "networks", "leave it out"),
        ({"product": "glod"}, "product", "did you mean 'gold'?"),
        ({"expires": 1_000}, "expires", "in the future"),
        ({"expires": 10**12}, "expires", "in the future"),
    ],
)
async def test_what_cannot_be_is_refused_with_the_member_and_the_remedy(desk, scope, param, said):
    with pytest.raises(InvalidField) as refused:
        await desk.make(**scope)
    assert refused.value.param == param
    assert said in refused.value.message
    assert await desk.documents.of_all_places("key") == []


async def test_a_name_is_taken_in_its_resource_alone(desk):
    await desk.make()
    with pytest.raises(Conflict, match="rotate it, revoke it, or choose another name") as refused:
        await desk.make()
    assert refused.value.param == "name"
    await desk.make(resource=OTHER)


async def test_keys_are_listed_newest_first_page_by_page(desk):
    for number in range(5):
        await desk.make(name=f"shop-{number}")
    await desk.make(resource=OTHER)
    seen, after = [], None
    while True:
        page = await desk.keys.page(RESOURCE, Order(limit=2, after=after))
        seen += [each.name for each in page.records]
        after = page.after
        if after is None:
            break
    assert seen == ["shop-4", "shop-3", "shop-2", "shop-1", "shop-0"]
    assert [each.name for each in (await desk.keys.page(RESOURCE, NEWEST, "shop-3")).records] == ["shop-3"]


async def test_a_key_is_found_by_id_and_by_name_in_its_resource_alone(desk):
    record = (await desk.make()).record
    assert await desk.keys.get(RESOURCE, record.id) == await desk.keys.get(RESOURCE, "shop") == record
    for other in (record.id, "shop", "key_none"):
        with pytest.raises(NotFound):
            await desk.keys.get(OTHER, other)


async def test_a_new_secret_leaves_no_gap(desk):
    old = await desk.make()
    await desk.clock.advance(100)
    new = await desk.keys.rotate(owner(), RESOURCE, "shop", overlap=DAY, at_once=False)
    assert new.key.reveal() != old.key.reveal()
    assert (new.record.id, len(new.record.secrets)) == (old.record.id, 2)
    assert desk.principal(old.key).id == desk.principal(new.key).id == old.record.id
    await desk.clock.advance(DAY - 1)
    assert desk.principal(old.key)
    await desk.clock.advance(1)
    assert desk.principal(old.key) is None
    assert desk.principal(new.key).name == "shop"


async def test_two_secrets_are_the_most_until_one_ends(desk):
    first = await desk.make()
    second = await desk.keys.rotate(owner(), RESOURCE, "shop", overlap=600, at_once=False)
    with pytest.raises(Conflict, match="for 600 more seconds: wait, or end them with 'now'") as refused:
        await desk.keys.rotate(owner(), RESOURCE, "shop", overlap=600, at_once=False)
    assert refused.value.param == "now"
    assert desk.principal(first.key)
    assert desk.principal(second.key)
    await desk.clock.advance(600)
    third = await desk.keys.rotate(owner(), RESOURCE, "shop", overlap=600, at_once=False)
    assert [each.hint for each in third.record.secrets] == [second.key.reveal()[-4:], third.key.reveal()[-4:]]
    assert desk.principal(second.key)
    assert desk.principal(third.key)


async def test_a_new_secret_at_once_ends_all_others(desk):
    first = await desk.make()
    second = await desk.keys.rotate(owner(), RESOURCE, "shop", overlap=DAY, at_once=False)
    third = await desk.keys.rotate(owner(), RESOURCE, "shop", overlap=DAY, at_once=True)
    assert [bool(desk.principal(each.key)) for each in (first, second, third)] == [False, False, True]


async def test_no_overlap_ends_the_one_before(desk):
    first = await desk.make()
    second = await desk.keys.rotate(owner(), RESOURCE, "shop", overlap=0, at_once=False)
    assert [bool(desk.principal(each.key)) for each in (first, second)] == [False, True]


async def test_a_key_that_has_ended_gets_no_new_secret(desk):
    await desk.make(expires=int(desk.clock.unix()) + 10)
    await desk.clock.advance(10)
    with pytest.raises(Conflict, match="make another one"):
        await desk.keys.rotate(owner(), RESOURCE, "shop", overlap=0, at_once=True)


async def test_a_revoked_key_is_refused_and_its_name_is_free(desk):
    old = await desk.make()
    assert (await desk.keys.revoke(owner(), RESOURCE, old.record.id)).name == "shop"
    assert desk.principal(old.key) is None
    new = await desk.make()
    assert new.record.id != old.record.id
    assert desk.principal(old.key) is None
    with pytest.raises(NotFound):
        await desk.keys.revoke(owner(), RESOURCE, old.record.id)


async def test_one_secret_of_two_is_revoked(desk):
    first = await desk.make()
    second = await desk.keys.rotate(owner(), RESOURCE, "shop", overlap=DAY, at_once=False)
    with pytest.raises(NotFound, match="has no secret 'other'"):
        await desk.keys.revoke(owner(), RESOURCE, "shop", "other")
    await desk.keys.revoke(owner(), RESOURCE, "shop", first.record.secrets[0].id)
    assert desk.principal(first.key) is None
    assert desk.principal(second.key)
    await desk.keys.revoke(owner(), RESOURCE, "shop", second.record.secrets[-1].id)
    assert desk.principal(second.key) is None
    with pytest.raises(NotFound):
        await desk.keys.get(RESOURCE, "shop")


async def test_a_key_elsewhere_cannot_be_touched(desk):
    record = (await desk.make(resource=OTHER)).record
    for key in (record.id, "shop"):
        with pytest.raises(NotFound):
            await desk.keys.rotate(owner(), RESOURCE, key, overlap=0, at_once=True)
        with pytest.raises(NotFound):
            await desk.keys.revoke(owner(), RESOURCE, key)
    assert await desk.keys.get(OTHER, record.id) == record


LIMITED = {
    "deployments": ("chat",),
    "operations": ("chat_completions",),
    "projects": ("sales",),
    "networks": ("10.0.0.0/8",),
    "product": "lab",
}


@pytest.mark.parametrize("beyond", [*LIMITED, "expires"])
async def test_a_key_makes_and_renews_none_that_may_do_more(desk, beyond):
    end = int(desk.clock.unix()) + DAY
    whole = {**LIMITED, "expires": end}
    maker = await desk.make(name="maker", admin=True, **whole)
    powerful = await desk.make(name="powerful", **{name: given for name, given in whole.items() if name != beyond})
    principal = desk.principal(maker.key, client="10.0.0.1")
    fitting = await desk.make(principal, name="fitting", admin=True, **whole)
    assert fitting.record.admin
    with pytest.raises(PermissionDenied, match=f"beyond it in {beyond}\\."):
        await desk.make(principal, **{name: given for name, given in whole.items() if name != beyond})
    with pytest.raises(PermissionDenied, match=f"beyond it in {beyond}\\."):
        await desk.keys.rotate(principal, RESOURCE, "powerful", overlap=0, at_once=True)
    assert desk.principal(powerful.key, client="10.0.0.1")
    await desk.keys.rotate(principal, RESOURCE, "fitting", overlap=0, at_once=True)


async def test_a_key_without_limits_makes_any(desk):
    maker = await desk.make(name="maker", admin=True)
    assert (await desk.make(desk.principal(maker.key), admin=True)).record.admin


async def test_a_secret_that_is_going_to_end_makes_no_key_that_outlives_it(desk):
    old = await desk.make(name="maker", admin=True)
    await desk.keys.rotate(owner(), RESOURCE, "maker", overlap=DAY, at_once=False)
    with pytest.raises(PermissionDenied, match="beyond it in expires"):
        await desk.make(desk.principal(old.key), admin=True)


async def test_a_key_that_was_revoked_a_moment_ago_makes_none(desk):
    maker = await desk.make(name="maker", admin=True)
    principal = desk.principal(maker.key)
    await desk.keys.revoke(owner(), RESOURCE, "maker")
    with pytest.raises(NotAuthenticated):
        await desk.make(principal)
    await desk.make()
    for attempt in (
        desk.keys.rotate(principal, RESOURCE, "shop", overlap=0, at_once=True),
        desk.keys.revoke(principal, RESOURCE, "shop"),
    ):
        with pytest.raises(NotAuthenticated):
            await attempt


async def test_the_development_key_makes_any(desk):
    principal = desk.ring.identify(head(DEVELOPMENT), RESOURCE, desk.clock.unix())
    assert (await desk.make(principal, admin=True)).record.admin


class Overtaken(MemoryDocuments):
    """A store in which somebody else writes first, once."""

    def __init__(self):
        super().__init__()
        self.first = None

    async def replace(self, document, *, etag):
        await self._overtake()
        return await super().replace(document, etag=etag)

    async def delete(self, place, kind, id, now, *, etag=None):  # noqa: A002 - the port's
        await self._overtake()
        return await super().delete(place, kind, id, now, etag=etag)

    async def _overtake(self):
        if self.first is not None:
            first, self.first = self.first, None
            await first()


async def test_a_change_by_somebody_else_meanwhile_is_not_undone():
    """Both rotate at the same time: one does, the other finds two secrets."""
    async with TestOffice(Overtaken()) as desk:
        await desk.make()
        desk.documents.first = lambda: desk.keys.rotate(owner(), RESOURCE, "shop", overlap=DAY, at_once=False)
        with pytest.raises(Conflict):
            await desk.keys.rotate(owner(), RESOURCE, "shop", overlap=DAY, at_once=False)
        assert len((await desk.keys.get(RESOURCE, "shop")).secrets) == 2


async def test_a_key_that_was_given_a_secret_meanwhile_does_not_go_with_its_old_one():
    async with TestOffice(Overtaken()) as desk:
        old = (await desk.make()).record.secrets[0].id
        desk.documents.first = lambda: desk.keys.rotate(owner(), RESOURCE, "shop", overlap=DAY, at_once=False)
        await desk.keys.revoke(owner(), RESOURCE, "shop", old)
        (left,) = (await desk.keys.get(RESOURCE, "shop")).secrets
        assert left.id != old


async def test_another_key_of_the_same_name_does_not_go_with_the_first():
    async with TestOffice(Overtaken()) as desk:
        first = (await desk.make()).record.id

        async def made_anew():
            await desk.keys.revoke(owner(), RESOURCE, "shop")
            await desk.make()

        desk.documents.first = made_anew
        with pytest.raises(NotFound):
            await desk.keys.revoke(owner(), RESOURCE, first)
        assert (await desk.keys.get(RESOURCE, "shop")).id != first


async def test_a_record_that_cannot_be_read_hides_no_other(desk, caplog):
    now = desk.clock.unix()
    await desk.documents.insert(
        Document(place=Place(resource=RESOURCE), kind="key", id="odd", created=now, updated=now, body=b'{"new": 1}')
    )
    await desk.make()
    assert [each.name for each in (await desk.keys.page(RESOURCE, NEWEST)).records] == ["shop"]
    assert "odd" in caplog.text
