"""What each role allows, under every name that it has."""

import pytest

from forehearth.core.identity_settings import ROLE_NAMES
from forehearth.core.permission import DATA_ACTIONS, Permission
from forehearth.identity.roles import ROLES, Role, find, named

EVERYTHING = set(Permission) - {Permission.ADMINISTER}
OPENAI = {
    Permission.CHAT,
    Permission.COMPLETIONS,
    Permission.EMBEDDINGS,
    Permission.AUDIO,
    Permission.IMAGES,
    Permission.READ_MODELS,
    Permission.READ_OPENAI_DEPLOYMENTS,
    Permission.READ_RESPONSES,
    Permission.WRITE_RESPONSES,
    Permission.DELETE_RESPONSES,
    Permission.READ_FILES,
    Permission.READ_ASSISTANTS,
    Permission.WRITE_ASSISTANTS,
    Permission.DELETE_ASSISTANTS,
    Permission.READ_THREADS,
    Permission.WRITE_THREADS,
    Permission.DELETE_THREADS,
    Permission.READ_MESSAGES,
    Permission.WRITE_MESSAGES,
    Permission.READ_RUNS,
    Permission.WRITE_RUNS,
    Permission.READ_RUN_STEPS,
}
STORED = {Permission.READ_STORED, Permission.CHANGE_STORED, Permission.WRITE_FILES, Permission.DELETE_FILES}
ALLOWED = {
    "Foundry Agent Consumer": {Permission.CALL_AGENT},
    "Foundry User": EVERYTHING,
    "Foundry Project Manager": EVERYTHING,
    "Foundry Account Owner": {Permission.ADMINISTER},
    "Foundry Owner": EVERYTHING,
    "Owner": {Permission.ADMINISTER},
    "Contributor": set(),
    "Reader": set(),
    "Cognitive Services OpenAI User": OPENAI,
    "Cognitive Services User": set(),
}
AT_THE_RESOURCE = {"Cognitive Services OpenAI User", "Cognitive Services User"}
RENAMED = {
    "Azure AI User": "Foundry User",
    "Azure AI Project Manager": "Foundry Project Manager",
    "Azure AI Account Owner": "Foundry Account Owner",
    "Azure AI Owner": "Foundry Owner",
}


@pytest.mark.parametrize("name", ALLOWED)
def test_each_role_allows_what_is_documented_and_no_more(name):
    assert named(name).permissions == ALLOWED[name]
    assert named(name).resource_level is (name in AT_THE_RESOURCE)


def test_no_other_roles_are_built_in():
    assert [role.name for role in ROLES] == list(ALLOWED)
    assert [name for role in ROLES for name in (role.name, *role.old_names)] == list(ROLE_NAMES)
    assert {old: role.name for role in ROLES for old in role.old_names} == RENAMED


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_a_role_is_known_by_its_old_name(old, new):
    assert find(old) is find(new) is not None


@pytest.mark.parametrize("name", ["foundry user", "FOUNDRY USER", "azure ai user", "Azure Ai User"])
def test_capitals_make_no_difference(name):
    assert named(name).name == "Foundry User"


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("Foundry Users", "Foundry User"),
        ("foundry_user", "Foundry User"),
        ("Azure AI Usr", "Azure AI User"),
        ("FoundryProjectManager", "Foundry Project Manager"),
        ("Onwer", "Owner"),
    ],
)
def test_what_is_no_role_is_told_with_the_nearest(wrong, meant):
    assert find(wrong) is None
    with pytest.raises(ValueError, match=f"^there is no role '{wrong}': did you mean '{meant}'\\?$"):
        named(wrong)


@pytest.mark.parametrize("wrong", ["", "wizard"])
def test_what_is_near_no_role_is_told_with_all(wrong):
    assert find(wrong) is None
    with pytest.raises(ValueError, match="there are 'Foundry Agent Consumer', 'Foundry User', "):
        named(wrong)


ACCOUNT = "Microsoft.CognitiveServices/accounts"


@pytest.mark.parametrize(
    ("pattern", "allowed"),
    [
        ("*", EVERYTHING),
        ("Microsoft.CognitiveServices/*", EVERYTHING),
        ("microsoft.cognitiveservices/ACCOUNTS/openai/*", OPENAI | STORED),
        (f"{ACCOUNT}/*/chat/completions/action", {Permission.CHAT, Permission.MODELS_CHAT}),
        (
            f"{ACCOUNT}/OpenAI/*/read",
            {
                Permission.READ_MODELS,
                Permission.READ_OPENAI_DEPLOYMENTS,
                Permission.READ_RESPONSES,
                Permission.READ_FILES,
                Permission.READ_STORED,
                Permission.READ_ASSISTANTS,
                Permission.READ_THREADS,
                Permission.READ_MESSAGES,
                Permission.READ_RUNS,
                Permission.READ_RUN_STEPS,
            },
        ),
        (Permission.CHAT.value, {Permission.CHAT}),
        (f"{ACCOUNT}/OpenAI/deployments/chat", set()),
        (f"{ACCOUNT}/OpenAI", set()),
        ("OpenAI/*", set()),
        ("Microsoft.Cognitive.ervices/*", set()),
        (f"{ACCOUNT}/.*", set()),
        ("", set()),
    ],
)
def test_a_star_stands_for_any_text_and_nothing_else_does(pattern, allowed):
    assert Role(name="own", data_actions=(pattern,)).permissions == allowed


def test_no_data_action_reaches_the_control_plane():
    for pattern in ("*", "Microsoft.CognitiveServices/*", Permission.ADMINISTER.value):
        assert Permission.ADMINISTER not in Role(name="own", data_actions=(pattern,)).permissions
    assert DATA_ACTIONS == EVERYTHING


def test_no_action_of_the_control_plane_is_a_data_action():
    assert Role(name="own", actions=("*", Permission.CHAT.value)).permissions == set()


def test_not_data_actions_are_taken_from_their_own_role_alone():
    without = Role(name="own", data_actions=("*",), not_data_actions=(f"{ACCOUNT}/openai/*",))
    other = Role(name="other", data_actions=(Permission.CHAT.value,))
    assert without.permissions == EVERYTHING - OPENAI - STORED
    assert Permission.CHAT in without.permissions | other.permissions


def test_who_administers_owns_the_account_in_azure_too():
    for role in ROLES:
        if role.administers:
            assert {"Microsoft.CognitiveServices/*", "Microsoft.Authorization/roleAssignments/write"} <= {*role.actions}
