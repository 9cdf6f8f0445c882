"""The roles that Foundry and Azure have built in, as one table.

Source: the roles' published definitions, as far as they are about `Microsoft.CognitiveServices` and role assignments.
What a role may do here follows from its data actions. Its actions are of Azure's control plane, which is not served:
they are here to be read. One role, Cognitive Services User, is as Foundry's page on roles has it, which gives it less.
"""

import re

import msgspec

from forehearth.config.nearest import suggestion
from forehearth.core.identity_settings import ROLE_NAMES
from forehearth.core.permission import CONTROL, DATA_ACTIONS, Permission
from forehearth.core.place import Place

_SERVICE = "Microsoft.CognitiveServices"
_ACCOUNT = f"{_SERVICE}/accounts"
_EVERYTHING = f"{_SERVICE}/*"
_READ = f"{_SERVICE}/*/read"
_ASSIGN = "Microsoft.Authorization/roleAssignments/write"
_IMPERSONATE = f"{_ACCOUNT}/AIServices/agents/endpoints/UserIdentityImpersonation/action"
"""Speaking to an agent for somebody else. No built-in role has it."""


def _matches(patterns: tuple[str, ...], action: str) -> bool:
    return any(re.fullmatch(_expression(pattern), action, re.IGNORECASE) for pattern in patterns)


def _expression(pattern: str) -> str:
    return ".*".join(re.escape(part) for part in pattern.split("*"))


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """A role. `*` in an action stands for any text, slashes included; letters match in either case."""

    name: str
    old_names: tuple[str, ...] = ()
    """What it was called before 2026."""
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()
    """Taken from this role's data actions, and from no other role's."""
    actions: tuple[str, ...] = ()
    administers: bool = False
    """Whether it opens `/admin`. Azure has no such API, so none of its actions says this."""
    resource_level: bool = False
    """Whether it ends at the resource: it is for what is asked of that, and not of its projects."""
    assigns: tuple[str, ...] | None = ()
    """The roles that its holder may give to others, of those that open `/admin`; None for every role. On the service
    that is a condition on `roleAssignments/write`."""

    @property
    def permissions(self) -> frozenset[Permission]:
        """What it allows here."""
        allowed = {each for each in DATA_ACTIONS if self._gives(each)}
        return frozenset(allowed | CONTROL if self.administers else allowed)

    def _gives(self, action: str) -> bool:
        return _matches(self.data_actions, action) and not _matches(self.not_data_actions, action)


ROLES = (
    Role(name="Foundry Agent Consumer", data_actions=(f"{_ACCOUNT}/AIServices/endpoints/interact/action",)),
    Role(
        name="Foundry User",
        old_names=("Azure AI User",),
        data_actions=(_EVERYTHING,),
        not_data_actions=(_IMPERSONATE,),
        actions=(_READ,),
    ),
    Role(
        name="Foundry Project Manager",
        old_names=("Azure AI Project Manager",),
        data_actions=(_EVERYTHING,),
        not_data_actions=(_IMPERSONATE,),
        actions=(_READ, f"{_ACCOUNT}/projects/*", _ASSIGN),
    ),
    Role(
        name="Foundry Account Owner",
        old_names=("Azure AI Account Owner",),
        actions=(_EVERYTHING, _ASSIGN),
        administers=True,
        assigns=("Foundry User",),
    ),
    Role(
        name="Foundry Owner",
        old_names=("Azure AI Owner",),
        data_actions=(_EVERYTHING,),
        not_data_actions=(_IMPERSONATE,),
        actions=(_EVERYTHING,),
    ),
    Role(name="Owner", actions=(_EVERYTHING, _ASSIGN), administers=True, assigns=None),
    Role(name="Contributor", actions=(_EVERYTHING,)),
    Role(name="Reader", actions=(_READ,)),
    Role(
        name="Cognitive Services OpenAI User",
        data_actions=(
            f"{_ACCOUNT}/OpenAI/*/read",
            f"{_ACCOUNT}/OpenAI/deployments/*/action",
            f"{_ACCOUNT}/OpenAI/images/generations/action",
            f"{_ACCOUNT}/OpenAI/responses/*",
            f"{_ACCOUNT}/OpenAI/assistants/*",
        ),
        not_data_actions=(f"{_ACCOUNT}/OpenAI/stored-completions/read",),
        actions=(_READ,),
        resource_level=True,
    ),
    Role(
        name="Cognitive Services User",
        data_actions=(
            f"{_ACCOUNT}/SpeechServices/*",
            f"{_ACCOUNT}/ComputerVision/*",
            f"{_ACCOUNT}/TextAnalytics/*",
            f"{_ACCOUNT}/ContentSafety/*",
        ),
        actions=(_READ, f"{_ACCOUNT}/listkeys/action"),
        resource_level=True,
    ),
)
"""All of them."""

_BY_NAME = {name.casefold(): role for role in ROLES for name in (role.name, *role.old_names)}
_ALLOWED = {role.name: role.permissions for role in ROLES}


def allowed(role: Role, place: Place) -> frozenset[Permission]:
    """What one of the roles allows where it is given at that place: below the resource less than all of it.

    At an agent it is calling it, as in Azure: the rest of it takes a project, or more. `/admin` is the resource's.
    """
    everything = _ALLOWED[role.name]
    if place.agent:
        return everything & {Permission.CALL_AGENT}
    if place.project:
        return frozenset() if role.resource_level else everything - CONTROL
    return everything


def find(name: str) -> Role | None:
    """The role of that name, old or new, in capitals or not; None when there is none."""
    return _BY_NAME.get(name.casefold())


def named(name: str) -> Role:
    """The same. Raises `ValueError` when there is none, with the name that was most likely meant."""
    role = find(name)
    if role is None:
        raise ValueError(f"there is no role '{name}': {suggestion(name, ROLE_NAMES, 'there are')}")
    return role
