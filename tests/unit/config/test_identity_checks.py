"""What of `identity` does not fit together is told when the file is read, and is just what a server refuses later."""

import random
from typing import Any

import msgspec
import pytest
import yaml

from forehearth.core.errors import Misconfigured
from forehearth.core.identity_settings import DEVELOPER, development_id
from forehearth.core.issuers import entra_issuers
from forehearth.core.secret import Secret
from forehearth.core.settings import Settings
from forehearth.server.identity import build_identities, holders
from forehearth.testing.clock import VirtualClock
from tests.unit.config.reading import problems
from tests.unit.dice import by_dice
from tests.unit.identity.minting import Issuers

TENANT = "aaaaaaaa-0000-4000-8000-00000000000A"
OTHER = "bbbbbbbb-0000-4000-8000-00000000000b"
ID_OF_B = development_id("application", "b", None)
ONE = "one: {issuer: https://one.example.com, audiences: [mine]}"
BEGIN = "version: 1\nidentity:\n"


def told(*lines: str) -> list[tuple[int, int, str, str, str]]:
    return [
        (each.line, each.column, each.path, each.message, each.hint)
        for each in problems(BEGIN + "".join(f"  {line}\n" for line in lines))
    ]


def test_everything_is_told_at_once():
    assert told(
        "oidc:",
        "  entra: {issuer: https://one.example.com, audiences: [mine]}",
        "  two: {issuer: http://two.example.com, audiences: [mine]}",
        '  three: {issuer: "https://one.example.com", audiences: [mine]}',
        "assignments:",
        "  - {role: Foundry Usr, user: maria, issuer: two}",
        "  - {role: Owner, user: maria, issuer: tow}",
        "  - {role: Owner, user: maria}",
        "  - {role: Owner, user: maria, issuer: two, project: sales}",
        "development:",
        f"  users: {{maria: {{id: {TENANT}}}, tom: {{id: {TENANT.lower()}}}}}",
        "  applications: {robot: {client_id: no id}}",
    ) == [
        (4, 5, "identity.oidc.entra", "the name 'entra' means another issuer", "choose another one"),
        (
            5,
            19,
            "identity.oidc.two.issuer",
            "keys are not fetched over http from another machine",
            "use https",
        ),
        (6, 21, "identity.oidc.three.issuer", "'entra' is the same issuer", "name an issuer once"),
        (
            8,
            14,
            "identity.assignments[0].role",
            "there is no role 'Foundry Usr'",
            "did you mean 'Foundry User'?",
        ),
        (9, 42, "identity.assignments[1].issuer", "there is no issuer 'tow'", "did you mean 'two'?"),
        (
            10,
            7,
            "identity.assignments[2]",
            "the key 'issuer' is missing",
            "say whose id this is: 'entra', 'two' and 'three'",
        ),
        (
            11,
            56,
            "identity.assignments[3].project",
            "there is no project 'sales'",
            "there are 'default'",
        ),
        (13, 74, "identity.development.users.tom.id", "'maria' has the same id", "give each its own"),
        (
            14,
            39,
            "identity.development.applications.robot.client_id",
            "expected the id of a directory, a GUID, found text 'no id'",
            "",
        ),
    ]


@pytest.mark.parametrize(
    ("lines", "path", "message"),
    [
        ([f"entra: {{tenants: [{TENANT}], authority: http://login.example.com}}"], "entra.authority", "over http"),
        (
            ["oidc: {a: {issuer: https://a, audiences: [x], keys_url: http://a/keys}}"],
            "oidc.a.keys_url",
            "over http",
        ),
        (
            [
                f"entra: {{tenants: [{OTHER}, {TENANT}]}}",
                f"oidc: {{a: {{issuer: 'https://sts.windows.net/{TENANT.lower()}/', audiences: [x]}}}}",
            ],
            "oidc.a.issuer",
            "'entra' is the same issuer",
        ),
        (
            [
                f"entra: {{tenants: [{TENANT}], authority: 'https://login.chinacloudapi.cn/'}}",
                f"oidc: {{a: {{issuer: 'https://login.chinacloudapi.cn/{TENANT.lower()}/v2.0', audiences: [x]}}}}",
            ],
            "oidc.a.issuer",
            "'entra' is the same issuer",
        ),
        (["assignments: [{role: 5, user: u}]"], "assignments[0].role", "there is no role of that name"),
        (["assignments: [{role: Owner, user: u, issuer: entra}]"], "assignments[0].issuer", "no issuer 'entra'"),
        (
            [
                f"oidc: {{{ONE}}}",
                f"entra: {{tenants: [{TENANT}]}}",
                "assignments: [{role: Owner, user: u, isuer: one}]",
            ],
            "assignments[0].isuer",
            "unknown key 'isuer'",
        ),
        (
            [f"development: {{users: {{maria: {{id: {development_id('user', DEVELOPER, None)}}}}}}}"],
            "development.users.maria.id",
            "'developer' has the same id",
        ),
        (
            [
                f"development: {{applications: {{a: {{client_id: {ID_OF_B}}}, b: {{}}}}}}",
            ],
            "development.applications.b",
            "'a' has the same client_id",
        ),
    ],
)
def test_what_does_not_fit(lines: list[str], path: str, message: str):
    ((_, _, where, said, _),) = told(*lines)
    assert where == f"identity.{path}"
    assert message in said


@pytest.mark.parametrize(
    "lines",
    [
        ["assignments: [{role: azure ai OWNER, user: u}]"],
        ["assignments: [{role: Reader, user: u, issuer: development}]"],
        [f"oidc: {{{ONE}}}", "assignments: [{role: Reader, user: u}, {role: Reader, user: u, issuer: development}]"],
        ["oidc: {a: {issuer: 'http://localhost:8080', audiences: [x]}}"],
        ["oidc: {a: {issuer: 'http://a', keys_url: 'https://a/keys', audiences: [x]}}"],
        ["entra: null", f"oidc: {{{ONE}}}", "assignments: [{role: Reader, user: u}]"],
        [f"entra: {{tenants: [{TENANT}, {TENANT.lower()}]}}"],
        [f"development: {{users: {{maria: {{id: {TENANT}}}}}, applications: {{maria: {{client_id: {TENANT}}}}}}}"],
    ],
)
def test_what_does(lines: list[str]):
    assert told(*lines) == []


URLS = (
    "https://one.example.com",
    "http://one.example.com",
    "http://localhost:8080",
    *entra_issuers("https://login.microsoftonline.com", TENANT),
    entra_issuers("https://login.partner.microsoftonline.cn/", OTHER)[0],
)
IDS = (None, None, TENANT, OTHER, *(development_id("user", name, None) for name in (DEVELOPER, "maria")))


def some_identity(dice: random.Random) -> dict[str, Any]:
    """What may stand under `identity`: right in each of its members, and seldom in all of them together."""
    entra = {
        "tenants": dice.choices((TENANT, TENANT.lower(), OTHER), k=dice.randint(1, 2)),
        "authority": dice.choice(
            ("https://login.microsoftonline.com", "https://login.partner.microsoftonline.cn/", URLS[1])
        ),
    }
    oidc = {
        name: {"issuer": dice.choice(URLS), "audiences": ["mine"]}
        | ({"keys_url": dice.choice(URLS)} if dice.random() < 0.3 else {})
        for name in dice.sample(("one", "one", "two", "two", "entra", "development"), dice.randrange(3))
    }
    assignments = [
        {
            "role": dice.choice(("Owner", "foundry user", "Azure AI Owner", "Azure Owner")),
            dice.choice(("user", "group")): "u",
        }
        | dice.choice(({}, {}, {"issuer": dice.choice(("one", "two", "entra", "development", "nobody"))}))
        for _ in range(dice.randrange(3))
    ]
    users, applications = (
        {
            name: {} if given is None else {key: given}
            for name in names
            if (given := dice.choice(IDS)) or dice.random() < 0.5
        }
        for names, key in ((("maria", DEVELOPER, "tom"), "id"), (("robot", "maria"), "client_id"))
    )
    given = {"oidc": oidc, "assignments": assignments, "development": {"users": users, "applications": applications}}
    return given | ({"entra": entra} if dice.random() < 0.4 else {})


def refuses(identity: dict[str, Any]) -> bool:
    """Whether a server does not start with this."""
    settings = msgspec.convert({"version": 1, "identity": identity}, Settings)
    try:
        build_identities(settings, key=Secret(""), pepper=bytes(32), fetch=Issuers(), clock=VirtualClock())
        holders(settings)
    except Misconfigured:
        return True
    return False


@by_dice(1_000, fits=0.1, refused=0.3)
def test_all_of_it_is_what_a_server_refuses_and_nothing_else(dice: random.Random) -> str:
    identity = some_identity(dice)
    found = problems(yaml.safe_dump({"version": 1, "identity": identity}))
    assert bool(found) is refuses(identity), found
    return "refused" if found else "fits"
