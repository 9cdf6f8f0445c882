"""Azure OpenAI and Foundry resources, in the three forms of their inference surface."""

from typing import Literal
from urllib.parse import quote

from forehearth.core.call import MEDIA, Call, Operation
from forehearth.core.errors import NotSupported
from forehearth.core.exchange import Header
from forehearth.core.secret import Secret
from forehearth.core.settings import OutboundSettings, ProviderSettings
from forehearth.core.settings_types import HttpUrl, Text, Unfit
from forehearth.core.upstream import Request
from forehearth.ports.token_source import TokenSource
from forehearth.providers import address
from forehearth.providers.body import JSON_HEADERS, OPERATION_PATHS, RESPONSES_PATH, asked_in_responses, named
from forehearth.providers.credentials import Bearer, CredentialSettings, check_one, check_origin
from forehearth.providers.media import as_media

_NEWEST = {"classic": "2024-10-21", "v1": None, "models": "2024-05-01-preview"}


class AzureOpenAISettings(ProviderSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A resource such as `https://{name}.openai.azure.com` or `https://{name}.services.ai.azure.com`."""

    priced_as = "azure"

    endpoint: HttpUrl
    """The resource's URL, without `/openai` or `/models`."""
    form: Literal["classic", "v1", "models"] = "v1"
    """`classic`: /openai/deployments/{deployment}/…; `v1`: /openai/v1/…; `models`: /models/…"""
    api_version: Text | None = None
    """For `classic` 2024-10-21 and for `models` 2024-05-01-preview, unless given; `v1` needs none."""
    api_key: Secret | None = None
    """Sent as `api-key`. A backend has either this or a `credential`."""
    responses: bool = False
    """Whether what comes by the Responses API is passed through to this resource's own, and not asked as chat
    completions. For the form `v1`. See [responses](responses.md#hosts-that-have-this-api)."""
    credential: CredentialSettings | None = None
    """An identity of Microsoft Entra ID instead of a key; its token is sent as bearer token."""
    connection: OutboundSettings = OutboundSettings()
    """How the host is dialled."""

    @property
    def address(self) -> str:
        """The URL that is dialled."""
        return self.endpoint

    def __post_init__(self) -> None:
        """Refuse no credential, two of them, and tokens in clear text. Raises `Unfit`."""
        if self.responses and self.form != "v1":
            hint = "leave form out, or responses"
            raise Unfit(f"the form {self.form} has no Responses API", member="responses", hint=hint)
        check_one(self.api_key, self.credential)
        if self.credential is not None:
            check_origin(self.endpoint, self.connection)
        elif self.api_key is None:
            raise Unfit(
                "there is neither api_key nor credential", hint="add one of them: what this resource lets us in by"
            )


class AzureOpenAI:
    """One resource, addressed in one form, with its key in `api-key`, or with the token of `tokens`."""

    def __init__(self, name: str, settings: AzureOpenAISettings, tokens: TokenSource | None = None) -> None:
        self.name = name
        self._form = settings.form
        self._responses = settings.responses
        self._origin, self._prefix = address.origin(settings.endpoint, settings.connection)
        self._timeouts = address.timeouts(settings.connection)
        version = settings.api_version or _NEWEST[settings.form]
        self._query = f"?api-version={quote(version)}" if version else ""
        self._bearer = Bearer(name, tokens) if tokens is not None else None
        key = settings.api_key
        credential = ((b"api-key", key.reveal().encode()),) if key else ()
        self._headers: tuple[Header, ...] = (*JSON_HEADERS, *credential)
        if settings.form == "models":
            # What this surface does not know was for our surface to judge; here it goes through.
            self._headers = (*self._headers, (b"extra-parameters", b"pass-through"))

    def request(self, call: Call, model: str) -> Request:
        """The call in this resource's form. In `classic` the path names the deployment and the body stays as it came.

        Raises `NotSupported` for what the `models` form has not, and `Unreachable` where there is no token to send.
        """
        path = OPERATION_PATHS[call.operation]
        passed = asked_in_responses(call, model) if self._responses else None
        if passed is not None:
            target, body = f"/openai/v1{RESPONSES_PATH}", passed
        elif self._form == "classic":
            target, body = f"/openai/deployments/{quote(model, safe='')}{path}", call.body
        elif self._form == "v1":
            target, body = f"/openai/v1{path}", named(call, model)
        elif call.operation is Operation.COMPLETIONS:
            raise NotSupported("This deployment's host has no text completions; use chat completions.", param="model")
        elif call.operation in MEDIA:
            raise NotSupported("This deployment's host is asked in a form without sound and pictures.", param="model")
        else:
            target, body = f"/models{path}", named(call, model)
        headers = self._headers if self._bearer is None else (*self._headers, self._bearer.header())
        request = Request(
            origin=self._origin,
            target=(self._prefix + target + self._query).encode(),
            headers=(*headers, *call.forward.items()),
            body=body,
            timeouts=self._timeouts,
        )
        return as_media(request, call, None if self._form == "classic" else model)
