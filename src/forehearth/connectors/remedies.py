"""From a refusal or a failure to its cause and what to do about it, in the words of whoever has to do it."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final

import msgspec

from forehearth.connectors.places import Address
from forehearth.connectors.shapes import Auth, Shape
from forehearth.core.errors import Failed, TimedOut


class Remedy(msgspec.Struct, frozen=True, kw_only=True):
    """Two sentences."""

    cause: str
    remedy: str


class Circumstances(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked, and how."""

    shape: Shape
    address: Address
    auth: Auth
    deployment: str = ""


_NO_ANSWER: Final[Mapping[str, Remedy]] = {
    "name": Remedy(
        cause="The host's name cannot be resolved.",
        remedy="Look for a typing error in it; the name of an Azure resource is its custom subdomain. On a private "
        "network, look at the DNS zones of its private endpoint.",
    ),
    "certificate": Remedy(
        cause="The certificate of the server is not accepted.",
        remedy="Of a server of yours: name its data directory with --data-dir, or have this shell trust it: "
        'eval "$(forehearth tls trust)". Behind a proxy that looks into TLS, name its CA in SSL_CERT_FILE.',
    ),
    "TLS": Remedy(
        cause="No TLS session can be agreed on: something else than https answers at that port.",
        remedy="Look at scheme and port: 8080 is http and 8443 is https, unless configured otherwise.",
    ),
    "refused": Remedy(
        cause="Nothing listens at that port.",
        remedy="Start the server with 'forehearth serve', or correct host and port.",
    ),
    "proxy": Remedy(
        cause="The proxy that the environment names opened no tunnel.",
        remedy="Look at HTTPS_PROXY, or name the host in NO_PROXY.",
    ),
}
"""By a word of what the transport says of it."""


def of_failure(error: Failed, origin: str) -> Remedy:
    """Why there is no answer at `origin`."""
    if isinstance(error, TimedOut):
        return Remedy(
            cause=f"{origin} did not answer in time ({error.phase}).",
            remedy="Look whether a firewall drops the connection; a model that is loading takes its time: ask again.",
        )
    for word, found in _NO_ANSWER.items():
        if word in error.message:
            return found
    return Remedy(
        cause=error.message.replace("The backend's", "Its").replace("The backend", "It").replace("the backend", "it"),
        remedy="Look whether it is an HTTP server of the Foundry or Azure OpenAI API, and whether the network lets it "
        "through.",
    )


def of_status(status: int, code: str, message: str, about: Circumstances) -> Remedy:
    """What a status means, with the code and message of its error object."""
    judges: Mapping[int, Callable[[], Remedy]] = {
        HTTPStatus.BAD_REQUEST: lambda: _not_understood(message, about),
        HTTPStatus.UNAUTHORIZED: lambda: _not_known(message, about),
        HTTPStatus.FORBIDDEN: lambda: _not_allowed(code, message, about),
        HTTPStatus.NOT_FOUND: lambda: _not_there(code, message, about),
        HTTPStatus.TOO_MANY_REQUESTS: lambda: _LIMITED,
        HTTPStatus.NOT_IMPLEMENTED: lambda: _NOT_SERVED,
    }
    if status in judges:
        return judges[status]()
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return Remedy(cause="It is somewhere else.", remedy="Give the address that it redirects to.")
    return _FAILED if status >= HTTPStatus.INTERNAL_SERVER_ERROR else _REFUSED


_LIMITED: Final = Remedy(
    cause="A limit of requests or tokens is reached.",
    remedy="Wait as long as 'retry-after' says; ask for more quota, or raise the limit of the deployment, key or "
    "product. 'forehearth explain REQUEST_ID' says which one it was.",
)
_NOT_SERVED: Final = Remedy(cause="This operation is not served yet.", remedy="docs/status.md says what is.")
_FAILED: Final = Remedy(
    cause="The server, or the model's host behind it, failed.",
    remedy="Ask again; 'forehearth status' shows the backends of a server of yours.",
)
_REFUSED: Final = Remedy(cause="The request is refused.", remedy="Read the message.")


def _not_understood(message: str, about: Circumstances) -> Remedy:
    if "api version" in message.lower() or "api-version" in message.lower():
        return _version(about)
    return Remedy(
        cause="The request is refused as it is.",
        remedy="Read the message; newer models refuse older members, such as max_tokens and temperature.",
    )


def _not_known(message: str, about: Circumstances) -> Remedy:
    if "subscription key" in message and "missing" in message:
        return Remedy(
            cause="API Management stands in front, and no subscription key came.",
            remedy="Send your subscription's key as Ocp-Apim-Subscription-Key, or in the header that its API names.",
        )
    if about.auth == "key" and about.shape.credentials == ("token",):
        return Remedy(cause="A project takes tokens, and no keys.", remedy="Add --auth token.")
    if about.auth == "key":
        return Remedy(
            cause="The key is not known there.",
            remedy="Look whether it is the key of this resource, whole, and not revoked, expired or regenerated"
            + ("." if about.address.is_azure else ": 'forehearth keys list'."),
        )
    return Remedy(
        cause="The token is not accepted: it has expired, is for another audience, or is of another tenant.",
        remedy=f"Get a new one for {about.shape.scope}"
        + ("." if about.address.is_azure else "; a server of yours must know its issuer ('identity', --dev-issuer)."),
    )


def _not_allowed(code: str, message: str, about: Circumstances) -> Remedy:
    if "Virtual Network" in message or "Firewall" in message:
        return Remedy(
            cause="The network from which you call is not allowed there.",
            remedy="Call from an allowed network, or have this one allowed: in the resource's networking, or in the "
            "key's networks.",
        )
    if code == "QuotaExceeded":
        return Remedy(
            cause="What there is for an hour or longer is used up.",
            remedy="Wait as long as 'retry-after' says, or have the quota raised.",
        )
    if about.auth == "key":
        return Remedy(
            cause="The key is known, and may not do this: it is limited to deployments, operations or projects, or "
            "keys are switched off there.",
            remedy="Use a key that may, or a token: --auth token.",
        )
    return Remedy(
        cause="Who calls is known, and has no role that allows it.",
        remedy="Have 'Foundry User' (was 'Azure AI User') assigned at the project or the resource; for the OpenAI "
        "shapes 'Cognitive Services OpenAI User' will do. It takes some minutes on Azure.",
    )


def _not_there(code: str, message: str, about: Circumstances) -> Remedy:
    if code == "DeploymentNotFound":
        return Remedy(
            cause=f"There is no deployment '{about.deployment}' there.",
            remedy="Deployments have names of their own, which need not be the model's: 'forehearth endpoints' lists "
            "them. A new one takes up to five minutes on Azure.",
        )
    if "api-version" in message:
        return _version(about)
    if about.shape.name == "project" and "project" in message.lower():
        return Remedy(
            cause=f"There is no project '{about.address.project}' there.",
            remedy="Name it with --project, as the portal's project endpoint has it.",
        )
    return Remedy(
        cause="There is no such path: the base URL is that of another shape, or the api-version is not known there.",
        remedy=f"The base URL of this shape ends with '{about.shape.base or '/'}': see 'forehearth endpoints'.",
    )


def _version(about: Circumstances) -> Remedy:
    sent = about.shape.version.sent
    return Remedy(
        cause="The api-version is missing, or not one of this shape.",
        remedy=f"Send api-version={sent}." if sent else "Leave api-version out.",
    )
