"""Keys are found by keyed hash, in any header form, within their scope, and shown to nobody."""

import pytest

from forehearth.core.call import Operation
from forehearth.core.errors import PermissionDenied
from forehearth.core.permission import CONTROL, Permission
from forehearth.core.place import Place
from forehearth.identity.key_records import OPERATIONS, READING
from forehearth.identity.keys import candidates
from tests.unit.dice import by_dice
from tests.unit.identity.keyed import DEVELOPMENT, NOW, OTHER, RESOURCE, head, record, ring, secret

FIRST, SECOND = "k" * 20, "q" * 20
TOKEN = b"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
HERE = Place(resource=RESOURCE)
FORMS = [
    lambda key: {"api_key": key},
    lambda key: {"x_api_key": key},
    lambda key: {"ocp_apim_subscription_key": key},
    lambda key: {"authorization": b"Bearer " + key},
    lambda key: {"authorization": b"bEARER  " + key + b" "},
    lambda key: {"api_key": key, "x_api_key": key},
    lambda key: {"api_key": key, "authorization": b"Bearer not-needed"},
    lambda key: {"api_key": b"dummy", "authorization": b"Bearer " + key},
    lambda key: {"api_key": key, "authorization": b"Bearer " + TOKEN},
]


def found(made, asked, *, resource=RESOURCE, now=NOW):
    principal = made.identify(asked, resource, now)
    return principal.name if principal else None


@pytest.mark.parametrize("form", FORMS)
def test_a_key_is_its_holder_in_every_form(form):
    made = ring(record(FIRST), record(SECOND, id="key-2", name="till"))
    assert found(made, head(**form(FIRST.encode()))) == "shop"
    assert found(made, head(**form(SECOND.encode()))) == "till"
    assert found(made, head(**form(DEVELOPMENT.encode()))) == "development"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"api_key": b""},
        {"api_key": b"k" * 19},
        {"api_key": b"k" * 21},
        {"api_key": b"k" * 20 + b", " + b"k" * 20},
        {"api_key": b"k" * 20 + b"\x00"},
        {"api_key": b"K" * 20},
        {"api_key": b"' OR 1=1 --"},
        {"authorization": b"Basic " + b"k" * 20},
        {"authorization": b"k" * 20},
        {"authorization": b"Bearer "},
        {"authorization": b"Bearer" + b"k" * 20},
        {"authorization": b"Bearer " + TOKEN},
        {"cookie": b"api-key=" + b"k" * 20},
        {"api_key": b"k" * 1_000_000},
        {"api_key": b"\xff\x00"},
    ],
)
def test_what_is_almost_a_key_is_none(headers):
    assert found(ring(record(FIRST)), head(**headers)) is None


def test_a_token_is_never_a_candidate_and_any_other_bearer_is():
    assert candidates({b"authorization": b"Bearer " + TOKEN}) == []
    assert candidates({b"authorization": b"Bearer a.b.c"}) == [b"a.b.c"]
    assert candidates({b"authorization": b"Bearer eyJ.only-one-dot"}) == [b"eyJ.only-one-dot"]
    assert candidates({b"authorization": b"Bearer " + TOKEN, b"api-key": b"k"}) == [b"k"]


GUESSED = ring(record("fh-" + "x" * 49))


@by_dice(a_candidate=0.5, none=0.05)
def test_no_header_is_a_key_that_was_not_made(dice):
    headers = {
        name: dice.choice((b"", b"Bearer ", b"bearer fh-", b"eyJ")) + dice.randbytes(dice.randrange(41))
        for name in ("api_key", "x_api_key", "ocp_apim_subscription_key", "authorization", "host")
        if dice.random() < 0.4
    }
    asked = head(**headers)
    assert GUESSED.identify(asked, RESOURCE, NOW) is None
    return "a_candidate" if candidates(asked.headers) else "none"


def test_a_key_opens_its_own_resource_alone():
    made = ring(record(FIRST))
    assert found(made, head(FIRST), resource=OTHER) is None
    assert found(made, head(FIRST), resource="nowhere") is None


def test_another_pepper_knows_no_key():
    assert found(ring(record(FIRST), pepper=b"another" * 4), head(FIRST)) is None


def test_a_plain_key_opens_all_of_inference_and_nothing_else():
    principal = ring(record(FIRST)).identify(head(FIRST), RESOURCE, NOW)
    allowed = {each for each in Permission if principal.may(each, HERE)}
    of_projects = {each for each in Permission if "/AIServices/" in each} - {Permission.READ_DEPLOYMENTS}
    assert allowed == set(Permission) - CONTROL - of_projects
    assert not any(principal.may(each, Place(resource=OTHER)) for each in Permission)
    assert not any(principal.may(each, Place(resource=RESOURCE, project="default")) for each in Permission)
    assert (principal.id, principal.kind, principal.deployments) == ("key-1", "key", None)


@pytest.mark.parametrize("operation", Operation)
def test_a_key_of_one_operation_opens_that_one_and_the_lists(operation):
    principal = ring(record(FIRST, operations=(operation,))).identify(head(FIRST), RESOURCE, NOW)
    assert {each for each in Permission if principal.may(each, HERE)} == OPERATIONS[operation] | READING


def test_no_operation_at_all_is_not_every_operation():
    principal = ring(record(FIRST, operations=())).identify(head(FIRST), RESOURCE, NOW)
    assert {each for each in Permission if principal.may(each, HERE)} == READING


@pytest.mark.parametrize("admin", [True, False])
def test_a_key_of_a_project_opens_nothing_outside_of_it_and_projects_take_none(admin):
    principal = ring(record(FIRST, projects=("sales",), admin=admin)).identify(head(FIRST), RESOURCE, NOW)
    assert {each for each in Permission if principal.may(each, HERE)} == (CONTROL if admin else set())
    assert not any(principal.may(each, Place(resource=RESOURCE, project="sales")) for each in Permission)


def test_an_admin_key_administers_its_resource_alone():
    principal = ring(record(FIRST, admin=True)).identify(head(FIRST), RESOURCE, NOW)
    assert principal.may(Permission.ADMINISTER, HERE)
    assert not principal.may(Permission.ADMINISTER, Place(resource=OTHER))


@pytest.mark.parametrize("limits", [{}, {"operations": ()}, {"projects": ("sales",)}])
def test_a_key_for_enrichment_opens_of_admin_its_jobs_alone(limits):
    principal = ring(record(FIRST, enrich=True, **limits)).identify(head(FIRST), RESOURCE, NOW)
    assert {each for each in CONTROL if principal.may(each, HERE)} == {Permission.ENRICH}
    assert not principal.may(Permission.ENRICH, Place(resource=OTHER))


@pytest.mark.parametrize(("asked", "other"), [(RESOURCE, OTHER), (OTHER, RESOURCE)])
def test_the_development_key_administers_everywhere(asked, other):
    principal = ring().identify(head(DEVELOPMENT), asked, NOW)
    assert principal.may(Permission.ADMINISTER, Place(resource=asked))
    assert principal.may(Permission.ADMINISTER, Place(resource=other))
    assert principal.grants[0].place.resource == asked
    assert not principal.may(Permission.CALL_AGENT, Place(resource=asked, project="default"))


def test_a_scope_of_deployments_is_handed_on():
    principal = ring(record(FIRST, deployments=("gpt", "vectors"))).identify(head(FIRST), RESOURCE, NOW)
    assert principal.deployments == {"gpt", "vectors"}


@pytest.mark.parametrize(
    ("product", "own", "deployments"),
    [
        ("gold", None, None),
        ("gold", ("large",), {"large"}),
        ("lab", None, {"small", "tiny"}),
        ("lab", ("small", "large"), {"small"}),
        ("lab", ("large",), set()),
    ],
)
def test_a_key_of_a_product_has_its_deployments_alone(product, own, deployments):
    principal = ring(record(FIRST, product=product, deployments=own)).identify(head(FIRST), RESOURCE, NOW)
    assert (principal.product, principal.deployments) == (product, deployments)


def test_a_key_of_a_product_that_is_gone_opens_nothing(caplog):
    made = ring(record(FIRST, product="silver"), record(SECOND, id="key-2", name="till"))
    assert found(made, head(FIRST)) is None
    assert found(made, head(SECOND)) == "till"
    assert "there is no product 'silver'" in caplog.text


def test_a_key_ends_at_its_second_and_not_before():
    made = ring(record(FIRST, expires=NOW + 10))
    assert found(made, head(FIRST), now=NOW + 9.999) == "shop"
    assert found(made, head(FIRST), now=NOW + 10) is None
    assert made.identify(head(FIRST), RESOURCE, NOW).until == NOW + 10


def test_one_of_two_texts_ends_and_the_other_goes_on():
    made = ring(record(secret(FIRST, expires=NOW + 10), SECOND))
    assert [found(made, head(each), now=NOW) for each in (FIRST, SECOND)] == ["shop", "shop"]
    assert [found(made, head(each), now=NOW + 10) for each in (FIRST, SECOND)] == [None, "shop"]


def test_a_text_does_not_outlive_its_key():
    made = ring(record(secret(FIRST, expires=NOW + 99), expires=NOW + 10))
    assert found(made, head(FIRST), now=NOW + 10) is None


@pytest.mark.parametrize("client", ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8::1"])
def test_a_key_is_taken_from_its_networks(client):
    made = ring(record(FIRST, networks=("10.0.0.0/8", "2001:db8::/32")))
    assert found(made, head(FIRST, client=client)) == "shop"


@pytest.mark.parametrize("client", ["11.0.0.1", "", "2001:db9::1", "localhost", "::ffff:11.0.0.1"])
def test_a_good_key_from_elsewhere_is_told_so(client):
    made = ring(record(FIRST, networks=("10.0.0.0/8", "2001:db8::/32")))
    with pytest.raises(PermissionDenied, match="Virtual Network/Firewall rules"):
        made.identify(head(FIRST, client=client), RESOURCE, NOW)


def test_who_calls_is_not_asked_what_their_address_is():
    made = ring(record(FIRST, networks=("10.0.0.0/8",)))
    forged = head(
        FIRST, client="192.0.2.1", x_forwarded_for=b"10.0.0.1", forwarded=b"for=10.0.0.1", x_real_ip=b"10.0.0.1"
    )
    with pytest.raises(PermissionDenied):
        made.identify(forged, RESOURCE, NOW)


def test_a_second_key_that_is_good_here_goes_before_one_from_elsewhere():
    made = ring(record(FIRST, networks=("10.0.0.0/8",)), record(SECOND, id="key-2", name="till"))
    assert found(made, head(FIRST, client="192.0.2.1", authorization=b"Bearer " + SECOND.encode())) == "till"


def test_a_new_set_of_keys_takes_the_place_of_the_old_one():
    made = ring(record(FIRST))
    made.replace([record(SECOND)])
    assert found(made, head(FIRST)) is None
    assert found(made, head(SECOND)) == "shop"
    made.replace([])
    assert found(made, head(SECOND)) is None
    assert found(made, head(DEVELOPMENT)) == "development"


def test_a_record_that_makes_no_sense_opens_nothing_and_hinders_no_other(caplog):
    made = ring(record(FIRST))
    broken = record(FIRST, networks=("10.0.0.0/99",))
    unread = record(secret(FIRST, digest="no hexadecimal"), id="key-3")
    made.replace([broken, unread, record(SECOND)])
    assert found(made, head(FIRST)) is None
    assert found(made, head(SECOND)) == "shop"
    assert {each.args[0] for each in caplog.records} == {"key-1", "key-3"}


def test_nothing_shows_a_key():
    made = ring(record(FIRST))
    assert "kkkk" not in repr(vars(made))
    assert DEVELOPMENT not in repr(vars(made))
    assert "pppp" not in repr(vars(made))
