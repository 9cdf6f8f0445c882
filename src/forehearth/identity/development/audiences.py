"""What tokens are given for: the audiences that Foundry documents, with or without a slash at the end, and no other."""

from forehearth.identity.development.addresses import DEFAULT_SCOPE, SCOPE_SUFFIX
from forehearth.identity.development.denied import Denied, missing
from forehearth.identity.issuers import AUDIENCES

_ABOUT_THE_PERSON = frozenset({"openid", "profile", "email", "offline_access"})
_LONGEST = 1_000


def of_scope(scope: str) -> str:
    """The audience of a scope such as `https://ai.azure.com/.default`. Raises `Denied`.

    What OpenID Connect adds to a scope is passed over: it says what a client would like to know of a person.
    """
    if not scope:
        raise missing("scope")
    wanted = [word for word in scope[:_LONGEST].split(" ") if word and word not in _ABOUT_THE_PERSON]
    if len(scope) > _LONGEST or len(wanted) != 1 or not wanted[0].endswith(SCOPE_SUFFIX):
        raise Denied(
            "invalid_scope",
            70011,
            "The provided value for the input parameter 'scope' is not valid: it is one audience and '/.default', "
            f"such as {DEFAULT_SCOPE}.",
        )
    return of_resource(wanted[0].removesuffix(SCOPE_SUFFIX))


def of_resource(resource: str) -> str:
    """The audience of a resource such as `https://ai.azure.com`: itself. Raises `Denied`."""
    if not resource:
        raise missing("resource")
    if resource.removesuffix("/") not in AUDIENCES:
        raise Denied(
            "invalid_resource",
            500011,
            "The development issuer gives tokens for these audiences alone: " + ", ".join(sorted(AUDIENCES)) + ".",
        )
    return resource
