"""What each refusal and failure means; no status is without a cause and a remedy."""

import pytest

from forehearth.connectors.places import Address
from forehearth.connectors.remedies import Circumstances, of_failure, of_status
from forehearth.connectors.shapes import SHAPES
from forehearth.core.errors import Broken, TimedOut, Unreachable

HERE = Address.of_url("http://127.0.0.1:8080")
AZURE = Address.of_resource("contoso", "sales")


def about(shape="v1", auth="key", address=HERE):
    return Circumstances(shape=SHAPES[shape], address=address, auth=auth, deployment="gpt-4o")


@pytest.mark.parametrize(
    ("status", "code", "message", "asked", "cause", "remedy"),
    [
        (
            401,
            "401",
            "Access denied due to invalid subscription key",
            about(),
            "key is not known",
            "forehearth keys list",
        ),
        (401, "401", "Access denied", about(address=AZURE), "key is not known", "of this resource"),
        (401, "", "Access denied due to missing subscription key", about(), "API Management", "Ocp-Apim-Subscription"),
        (401, "401", "", about("project"), "takes tokens", "--auth token"),
        (401, "401", "", about(auth="token"), "expired", "https://ai.azure.com/.default"),
        (401, "401", "", about("classic", "token", AZURE), "audience", "https://cognitiveservices.azure.com/.default"),
        (403, "403", "Access denied due to Virtual Network/Firewall rules.", about(), "network", "allowed"),
        (403, "QuotaExceeded", "", about(), "used up", "retry-after"),
        (403, "PermissionDenied", "", about(), "limited", "--auth token"),
        (403, "PermissionDenied", "", about(auth="token"), "no role", "Foundry User"),
        (404, "DeploymentNotFound", "", about(), "'gpt-4o'", "forehearth endpoints"),
        (
            404,
            "404",
            "Resource not found: add the query parameter 'api-version'",
            about("classic"),
            "api-version",
            "2024-10-21",
        ),
        (404, "NotFound", "The project 'x' does not exist.", about("project", "token", AZURE), "'sales'", "--project"),
        (404, "404", "Resource not found", about("foundry"), "another shape", "'/models'"),
        (429, "429", "", about(), "limit", "retry-after"),
        (400, "BadRequest", "API version not supported", about(), "api-version", "Leave api-version out"),
        (400, "BadRequest", "API version not supported", about("project"), "api-version", "api-version=v1"),
        (400, "invalid_value", "max_tokens", about(), "as it is", "max_tokens"),
        (501, "NotServedYet", "", about(), "not served yet", "status.md"),
        (503, "ServiceUnavailable", "", about(), "failed", "forehearth status"),
        (302, "", "", about(), "somewhere else", "redirects"),
        (418, "", "", about(), "refused", "message"),
    ],
)
def test_a_status(status, code, message, asked, cause, remedy):
    found = of_status(status, code, message, asked)
    assert cause in found.cause
    assert remedy in found.remedy


@pytest.mark.parametrize(
    ("error", "cause", "remedy"),
    [
        (Unreachable("No connection to the backend: its name cannot be resolved."), "name", "DNS"),
        (Unreachable("No connection to the backend: its certificate is not accepted."), "certificate", "tls trust"),
        (Unreachable("No connection to the backend: no TLS session could be agreed on."), "TLS", "8443"),
        (Unreachable("No connection to the backend: it was refused."), "Nothing listens", "forehearth serve"),
        (Unreachable("No connection to the backend: the proxy did not open a tunnel."), "proxy", "NO_PROXY"),
        (TimedOut("x", phase="connect"), "connect", "firewall"),
        (Broken("The backend's answer cannot be used: no status line."), "Its answer", "HTTP server"),
    ],
)
def test_no_answer(error, cause, remedy):
    found = of_failure(error, "http://x")
    assert cause in found.cause
    assert remedy in found.remedy
