"""`forehearth roles` in a data directory that no server holds."""

import json

import pytest

CONFIG = """
version: 1
backends:
  script: {provider: scripted}
deployments:
  chat: {backends: [{backend: script}]}
projects:
  sales: {}
identity:
  entra: {tenants: [aaaaaaaa-0000-4000-8000-00000000000a]}
  assignments:
    - {role: azure ai owner, app_role: Operators}
  development:
    users: {maria: {}}
"""
GUID = "12345678-1234-1234-1234-123456789012"


@pytest.fixture
def command(offline):
    return offline(CONFIG)


def listed(command, *arguments):
    status, out, _ = command("roles", "list", "--json", *arguments)
    assert status == 0
    return json.loads(out)


def test_the_id_alone_is_on_stdout_and_takes_it_away_again(command):
    status, out, err = command("roles", "assign", "foundry user", "--user", GUID, "--project", "sales")
    assert (status, err) == (0, f"Foundry User is given to user {GUID} of entra, at project sales.\n")
    assert [each["id"] for each in listed(command)] == [out.strip(), "configured-0"]
    assert command("roles", "remove", out.strip()) == (0, "", f"{out.strip()} is removed.\n")
    assert [each["id"] for each in listed(command)] == ["configured-0"]


@pytest.mark.parametrize(
    ("options", "to"),
    [
        (("--user", GUID), f"user {GUID} of entra, at resource forehearth"),
        (("--group", GUID), f"group {GUID} of entra, at resource forehearth"),
        (("--application", GUID), f"application {GUID} of entra, at resource forehearth"),
        (("--app-role", "R"), "app role R of entra, at resource forehearth"),
        (("--user", "maria", "--issuer", "development"), "user maria of development, at resource forehearth"),
        (
            ("--user", GUID, "--tenant", "aaaaaaaa-0000-4000-8000-00000000000A", "--project", "sales", "--agent", "a"),
            f"user {GUID} of entra (aaaaaaaa-0000-4000-8000-00000000000a), at project sales, agent a",
        ),
    ],
)
def test_everybody_and_everywhere(command, options, to):
    status, _, err = command("roles", "assign", "Foundry User", *options)
    assert (status, err) == (0, f"Foundry User is given to {to}.\n")


def test_a_key_by_name_and_what_that_means_for_it(command):
    command("keys", "create", "shop")
    status, _, err = command("roles", "assign", "Cognitive Services OpenAI User", "--to-key", "shop")
    assert status == 0
    assert "is given to key shop, at resource forehearth." in err
    assert "opens what its roles allow, and no more" in err
    assert "what its roles allow" in command("keys", "list")[1]


def test_a_key_for_roles(command):
    status, _, err = command("keys", "create", "shop", "--roles-only", "--operation", "embeddings")
    assert status == 0
    assert "what its roles allow; embeddings; this one has no end" in err


def test_the_list_is_a_table(command):
    id_ = command("roles", "assign", "Foundry User", "--user", "maria", "--issuer", "development")[1].strip()
    status, out, err = command("roles", "list")
    assert (status, err) == (0, "")
    head, made, configured = out.splitlines()
    assert head.split() == ["ID", "ROLE", "TO", "AT", "SOURCE"]
    assert made.split() == f"{id_} Foundry User user maria of development resource forehearth admin".split()
    assert configured.startswith("configured-0 ")
    assert configured.endswith("app role Operators of entra  resource forehearth  configuration")
    assert head.index("SOURCE") == made.index("admin") == configured.index("configuration")


def test_a_part_of_the_list(command):
    command("roles", "assign", "Foundry User", "--user", GUID)
    assert [each["role"] for each in listed(command, "--role", "Foundry Owner")] == ["Foundry Owner"]
    assert [each["role"] for each in listed(command, "--principal", GUID)] == ["Foundry User"]


def test_json_is_all_that_is_known(command):
    status, out, err = command("roles", "assign", "Foundry User", "--user", GUID, "--json")
    assert (status, err) == (0, "")
    assert listed(command)[0] == json.loads(out)


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("assign", "Foundry User"), 2, "exactly one of --user"),
        (("assign", "Foundry User", "--user", GUID, "--group", GUID), 2, "exactly one of --user"),
        (("assign", "Foundry Usr", "--user", GUID), 1, "did you mean 'Foundry User'?"),
        (("assign", "Foundry User", "--user", "maria"), 1, "a GUID such as"),
        (("assign", "Foundry User", "--user", "nobody", "--issuer", "development"), 1, "'developer' and 'maria'"),
        (("assign", "Foundry User", "--to-key", "none"), 1, "there is no key 'none'"),
        (("assign", "Foundry User", "--user", GUID, "--project", "none"), 1, "there is no project 'none'"),
        (("remove", "none"), 1, "There is no role assignment 'none'"),
        (("remove", "configured-0"), 1, "identity.assignments[0]"),
        (("list", "--role", "none"), 1, "there is no role 'none'"),
    ],
)
def test_what_cannot_be_done_is_said(command, arguments, status, says):
    found = command("roles", *arguments)
    assert found[:2] == (status, "")
    assert says in found[2]
