"""`forehearth import azure` against a scripted control plane: read only, page by page, its token sent nowhere else."""

import http.server
import json
import threading

import pytest

from forehearth.cli.main import run
from forehearth.config.loader import load
from forehearth.registry import PROVIDER_SETTINGS

ACCOUNT = "/subscriptions/s-2/resourceGroups/g/providers/Microsoft.CognitiveServices/accounts/Contoso"
TOKEN = "a-token-of-the-control-plane"


def deployment(name, capability, *limits, **properties):
    rates = [{"key": key, "count": count, "renewalPeriod": period} for key, count, period in limits]
    model = {"format": "OpenAI", "name": f"{name}-model", "version": "2024-08-06"}
    told = {"model": model, "capabilities": {capability: "true"}, "rateLimits": rates, "provisioningState": "Succeeded"}
    return {"name": name, "sku": {"name": "GlobalStandard", "capacity": 10}, "properties": told | properties}


PAGES = {
    "/subscriptions?api-version=2022-12-01": {"value": [{"subscriptionId": "s-1"}, {"subscriptionId": "s-2"}]},
    "/subscriptions/s-1/providers/Microsoft.CognitiveServices/accounts?api-version=2024-10-01": {
        "value": [{"name": "other", "id": "/x", "properties": {}}]
    },
    "/subscriptions/s-2/providers/Microsoft.CognitiveServices/accounts?api-version=2024-10-01": {
        "value": [],
        "nextLink": "{plane}/accounts-2",
    },
    "/accounts-2": {
        "value": [
            {
                "name": "Contoso",
                "id": ACCOUNT,
                "kind": "AIServices",
                "properties": {
                    "customSubDomainName": "contoso-ai",
                    "endpoint": "https://contoso-ai.cognitiveservices.azure.com/",
                },
            }
        ]
    },
    f"{ACCOUNT}/deployments?api-version=2024-10-01": {
        "value": [
            deployment("gpt-4o", "chatCompletion", ("request", 100, 10), ("token", 30_000, 60)),
            deployment("embed", "embeddings", ("request", 1, 600)),
            deployment("image", "imageGenerations"),
        ],
        "nextLink": "{plane}/deployments-2",
    },
    "/deployments-2": {
        "value": [
            deployment("old", "completion"),
            deployment("gone", "chatCompletion", provisioningState="Deleting"),
            deployment("a name", "chatCompletion"),
            "nonsense",
            {"name": "empty"},
        ]
    },
}


class ControlPlane(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append((self.path, self.headers["authorization"]))
        status, page = self.server.pages.get(self.path, (404, {"error": {"code": "NotFound", "message": "No such."}}))
        body = json.dumps(page).replace("{plane}", f"http://127.0.0.1:{self.server.server_port}").encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def plane(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "FOREHEARTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), ControlPlane) as server:
        server.asked, server.pages = [], {path: (200, page) for path, page in PAGES.items()}
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def imported(plane, capsys):
    def call(*arguments, resource="contoso"):
        url = f"http://127.0.0.1:{plane.server_port}"
        status = run(["import", "azure", "--resource", resource, "--management-url", url, "--token", TOKEN, *arguments])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return call


def test_a_configuration_of_what_is_there(imported, plane):
    status, out, err = imported()
    assert status == 0, err
    settings = load(out, providers=PROVIDER_SETTINGS, environ={})
    backend = settings.backends["azure"]
    assert (backend.endpoint, backend.credential.kind) == ("https://contoso-ai.openai.azure.com", "default")
    found = settings.deployments
    assert {name: each.model.type for name, each in found.items()} == {
        "gpt-4o": "chat_completion",
        "embed": "embeddings",
        "old": "completion",
    }
    chat = found["gpt-4o"]
    assert (chat.model.name, chat.model.version, chat.model.publisher) == ("gpt-4o-model", "2024-08-06", "OpenAI")
    limits = [each.backends[0].limits for each in found.values()]
    assert [(each.requests_per_minute, each.tokens_per_minute) for each in limits] == [
        (600, 30_000),
        (1, None),
        (None, None),
    ]
    assert err.count("left out") == out.count("# Left out") == 4
    assert {token for _, token in plane.asked} == {f"Bearer {TOKEN}"}
    assert TOKEN not in out + err


def test_a_key_is_named_by_its_variable(imported):
    _, out, _ = imported("--key-variable", "MY_KEY")
    settings = load(out, providers=PROVIDER_SETTINGS, environ={"MY_KEY": "k" * 32})
    assert settings.backends["azure"].api_key.reveal() == "k" * 32


def test_a_subscription_that_is_named_is_the_only_one_that_is_asked(imported, plane):
    assert imported("--subscription", "s-2")[0] == 0
    assert not any(path.startswith(("/subscriptions?", "/subscriptions/s-1")) for path, _ in plane.asked)


def test_a_file_is_written_and_none_is_overwritten(imported, tmp_path):
    path = tmp_path / "forehearth.yaml"
    assert imported("--output", str(path))[:2] == (0, "")
    text = path.read_text()
    status, _, err = imported("--output", str(path))
    assert (status, path.read_text()) == (2, text)
    assert "is there already" in err


@pytest.mark.parametrize(
    ("status", "page", "words"),
    [
        (401, {"error": {"code": "InvalidAuthenticationToken", "message": "Expired."}}, ("401: Expired", "az login")),
        (403, {"error": {"code": "AuthorizationFailed", "message": "No."}}, ("403: No", "Reader")),
        (200, ["nonsense"], ("no JSON",)),
        (200, {"value": [], "nextLink": "http://evil.example/next"}, ("another host",)),
        (200, {"value": [], "nextLink": "{plane}.evil.example/next"}, ("another host",)),
        (200, {"value": [], "nextLink": "{plane}/subscriptions?api-version=2022-12-01"}, ("more than 200 pages",)),
        (200, {"value": []}, ("no resource 'contoso' in 0",)),
    ],
)
def test_what_goes_wrong(imported, plane, status, page, words):
    plane.pages["/subscriptions?api-version=2022-12-01"] = (status, page)
    ended, out, err = imported()
    assert (ended, out) == (1, "")
    assert [word for word in words if word not in err] == [], err
    assert TOKEN not in err


def test_a_resource_that_nobody_has(imported):
    status, _, err = imported(resource="nobody")
    assert status == 1
    assert "'nobody' in 2 subscriptions" in err
