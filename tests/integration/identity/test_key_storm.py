"""A storm of tokens with key ids that nobody has, at a server of several workers: its issuer hardly hears of it."""

import base64
import http.client
import json
import time

from forehearth.identity.key_sets import PAUSE_SECONDS
from tests.conftest import StartForehearth
from tests.integration.identity.loopback_issuer import LoopbackIssuer

CONFIG = """
version: 1
backends: {{script: {{provider: scripted}}}}
deployments: {{chat: {{backends: [{{backend: script}}]}}}}
identity:
  oidc:
    test: {{issuer: "{issuer}", keys_url: "{keys}", audiences: ["https://ai.azure.com"]}}
  assignments:
    - {{role: Foundry User, user: user}}
"""
TOKENS = 300
DIRECT = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


def status(port: int, token: str) -> int:
    """Over a connection of its own, so that any worker may have it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/openai/v1/models", headers={"authorization": f"Bearer {token}"})
        return connection.getresponse().status
    finally:
        connection.close()


def with_key_id(token: str, key_id: str) -> str:
    head = base64.urlsafe_b64encode(json.dumps({"alg": "RS256", "typ": "JWT", "kid": key_id}).encode())
    return head.rstrip(b"=").decode() + token[token.index(".") :]


def test_an_issuer_hears_once_of_a_storm_at_all_workers(
    issuer: LoopbackIssuer, start_forehearth: StartForehearth, record_property
):
    config = CONFIG.format(issuer=issuer.url, keys=issuer.keys_url)
    server = start_forehearth(config, "--workers", "3", environment=DIRECT)
    good, began = issuer.token("user"), time.monotonic()
    said = [status(server.port, with_key_id(good, f"nobodys-{number}")) for number in range(TOKENS)]
    assert said == [401] * TOKENS
    assert [status(server.port, good) for _ in range(30)] == [200] * 30
    record_property("tokens with unknown key ids", TOKENS)
    record_property("fetches of the key set", issuer.fetched)
    assert 1 <= issuer.fetched <= 1 + (time.monotonic() - began) // PAUSE_SECONDS
