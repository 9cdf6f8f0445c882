"""The keys `identity`, `projects` and `resources` of the configuration: who may call, and what belongs to whom."""

import uuid
from typing import Annotated, Final, Literal

import msgspec

from forehearth.core.connection_settings import ConnectionSettings, check_connections
from forehearth.core.limit_settings import LimitSettings, check_limits
from forehearth.core.secret import Secret
from forehearth.core.settings_types import DocumentUrl, HttpUrl, Name, Text, Unfit, Values

Tenant = Annotated[
    str,
    msgspec.Meta(
        pattern="^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", description="the id of a directory, a GUID"
    ),
]
ROLE_NAMES: Final = (
    "Foundry Agent Consumer",
    "Foundry User",
    "Azure AI User",
    "Foundry Project Manager",
    "Azure AI Project Manager",
    "Foundry Account Owner",
    "Azure AI Account Owner",
    "Foundry Owner",
    "Azure AI Owner",
    "Owner",
    "Contributor",
    "Reader",
    "Cognitive Services OpenAI User",
    "Cognitive Services User",
)
"""The roles that can be assigned, under the names before 2026, too. In capitals or not, they are the same."""
DEVELOPER: Final = "developer"
"""Whom the development issuer knows without any configuration."""
_NAMESPACE: Final = uuid.UUID("6c1fb3a0-6a5f-5b0e-9f0e-6d0f6b9a4c11")

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]


class EntraSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Microsoft Entra ID: tokens of both forms, v1 and v2, for every audience that Foundry documents."""

    tenants: Annotated[tuple[Tenant, ...], msgspec.Meta(min_length=1)]
    """The directories whose users and applications may come in; tokens of all others are refused."""
    authority: HttpUrl = "https://login.microsoftonline.com"
    """Where the key sets are; sovereign clouds have others."""
    audiences: tuple[Text, ...] = ()
    """Further audiences, such as an application id of your own, besides Foundry's."""


class OidcSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Any other OpenID Connect issuer."""

    issuer: HttpUrl
    """Exactly what its tokens have as `iss`."""
    audiences: Annotated[tuple[Text, ...], msgspec.Meta(min_length=1)]
    """What its tokens may have as `aud`."""
    algorithms: Annotated[tuple[Algorithm, ...], msgspec.Meta(min_length=1)] = ("RS256",)
    """The only signature algorithms that are accepted of it."""
    keys_url: DocumentUrl | None = None
    """Where its key set is; without it, its discovery document says."""


class AssignmentSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A role for somebody, somewhere. Exactly one of `user`, `group`, `application` and `app_role` says who."""

    role: Text
    """A role's name, such as `Foundry User`; the names before 2026 are known, too."""
    user: Text | None = None
    """A user's object id."""
    group: Text | None = None
    """A group's object id, as tokens list it in `groups`."""
    application: Text | None = None
    """An application's object id or client id."""
    app_role: Text | None = None
    """An app role, as tokens list it in `roles`."""
    issuer: Name | None = None
    """Whose tokens it is for: `entra`, `development` or a name under `oidc`. Needed where there is more than one."""
    tenant: Tenant | None = None
    """Only for tokens of this directory."""
    resource: Name | None = None
    """The resource; the default one, when not given."""
    project: Name | None = None
    """Only in this project; in all of the resource, when not given."""
    agent: Name | None = None
    """Only at this agent; needs `project`."""

    def __post_init__(self) -> None:
        given = [who for who in ("user", "group", "application", "app_role") if getattr(self, who) is not None]
        if len(given) != 1:
            raise Unfit(
                "an assignment needs exactly one of user, group, application and app_role",
                member=given[1] if given else None,
            )
        if self.agent is not None and self.project is None:
            raise Unfit("an agent is in a project", member="agent", hint="add the key project")


class DevelopmentUserSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person of the development issuer."""

    id: Tenant | None = None
    """The object id; one that is always the same for this name, when not given."""
    groups: tuple[Text, ...] = ()
    """Object ids of groups."""
    roles: tuple[Text, ...] = ()
    """App roles."""


class DevelopmentApplicationSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An application, or a managed identity, of the development issuer."""

    client_id: Tenant | None = None
    """The client id; one that is always the same for this name, when not given."""
    secret: Secret | None = None
    """The client secret; without one it is a managed identity alone."""
    roles: tuple[Text, ...] = ()
    """App roles."""


class DevelopmentIssuerSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who the development issuer knows. It only runs with `serve --dev-issuer`, and only on the loopback address."""

    users: dict[Name, DevelopmentUserSettings] = {}
    """People, by the name that `forehearth login --user` takes, besides `developer`."""
    applications: dict[Name, DevelopmentApplicationSettings] = {}
    """Applications, by a name of your choice."""
    token_seconds: Annotated[int, msgspec.Meta(ge=60, le=86_400)] = 3_600
    """How long its tokens last."""


def development_id(kind: Literal["user", "application", "application object"], name: str, given: str | None) -> str:
    """The id of somebody whom the development issuer knows: the one that is given, else one that is made of the name.

    An application has two: the client id, and that of its object.
    """
    return given.lower() if given else str(uuid.uuid5(_NAMESPACE, f"{kind}/{name}"))


class IdentitySettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose tokens are accepted, and what their holders may do."""

    entra: EntraSettings | None = None
    """Tokens of Microsoft Entra ID; without this, none of them."""
    oidc: dict[Name, OidcSettings] = {}
    """Other issuers, by a name of your choice."""
    assignments: tuple[AssignmentSettings, ...] = ()
    """Roles for the holders of tokens. Whoever has none may do nothing."""
    development: DevelopmentIssuerSettings = DevelopmentIssuerSettings()


class ProjectSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A project of a resource: `/api/projects/NAME`."""

    description: Text | None = None
    """What it is for, in your words."""
    limits: tuple[LimitSettings, ...] = ()
    """Limits for the calls that come in by its path."""
    connections: dict[Name, ConnectionSettings] = {}
    """What else its people use, by a name of your choice."""

    def __post_init__(self) -> None:
        """Refuse limits or connections that contradict one another. Raises `Unfit`."""
        check_limits(self.limits)
        check_connections(self.connections)
