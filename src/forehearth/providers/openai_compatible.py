"""Hosts that speak OpenAI's API under a base URL: vLLM, Ollama, llama.cpp, LiteLLM, OpenAI itself."""

from forehearth.core.call import Call
from forehearth.core.secret import Secret
from forehearth.core.settings import OutboundSettings, ProviderSettings
from forehearth.core.settings_types import HttpUrl
from forehearth.core.upstream import Request
from forehearth.ports.token_source import TokenSource
from forehearth.providers import address
from forehearth.providers.body import JSON_HEADERS, OPERATION_PATHS, RESPONSES_PATH, asked_in_responses, named
from forehearth.providers.credentials import Bearer, CredentialSettings, check_one, check_origin
from forehearth.providers.media import as_media


class OpenAICompatibleSettings(ProviderSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A host with `/chat/completions`, `/embeddings`, `/audio/…` and their like under its base URL."""

    base_url: HttpUrl
    """Everything before `/chat/completions`, such as `http://127.0.0.1:11434/v1`."""
    responses: bool = False
    """Whether the host has the Responses API besides, at `/responses`: what comes by it is then passed through to it,
    and not asked as chat completions. See [responses](responses.md#hosts-that-have-this-api)."""
    api_key: Secret | None = None
    """Sent as bearer token; hosts without authentication need none."""
    credential: CredentialSettings | None = None
    """An identity of Microsoft Entra ID, for hosts that ask for its tokens; instead of a key."""
    connection: OutboundSettings = OutboundSettings()
    """How the host is dialled."""

    @property
    def address(self) -> str:
        """The URL that is dialled."""
        return self.base_url

    def __post_init__(self) -> None:
        """Refuse two credentials, and tokens in clear text. Raises `Unfit`."""
        check_one(self.api_key, self.credential)
        if self.credential is not None:
            check_origin(self.base_url, self.connection)


class OpenAICompatible:
    """`{base_url}/chat/completions` and its siblings, the model named in the body."""

    def __init__(self, name: str, settings: OpenAICompatibleSettings, tokens: TokenSource | None = None) -> None:
        self.name = name
        self._origin, self._prefix = address.origin(settings.base_url, settings.connection)
        self._timeouts = address.timeouts(settings.connection)
        self._targets = {operation: (self._prefix + path).encode() for operation, path in OPERATION_PATHS.items()}
        self._bearer = Bearer(name, tokens) if tokens is not None else None
        self._responses = (self._prefix + RESPONSES_PATH).encode() if settings.responses else None
        key = settings.api_key
        credential = ((b"authorization", b"Bearer " + key.reveal().encode()),) if key else ()
        self._headers = (*JSON_HEADERS, *credential)

    def request(self, call: Call, model: str) -> Request:
        """The call under this host's path, its body's `model` made the host's.

        Raises `Unreachable` where there is no token to send.
        """
        headers = self._headers if self._bearer is None else (*self._headers, self._bearer.header())
        target, body = self._targets[call.operation], None
        if self._responses is not None:
            body = asked_in_responses(call, model)
            target = target if body is None else self._responses
        request = Request(
            origin=self._origin,
            target=target,
            headers=(*headers, *call.forward.items()) if call.forward else headers,
            body=named(call, model) if body is None else body,
            timeouts=self._timeouts,
        )
        return as_media(request, call, model)
