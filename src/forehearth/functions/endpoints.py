"""Who is asked, where it is not the Forehearth of the environment: an address, or a client of the OpenAI library.

Of such a client only the address and the key are taken; what is sent is sent by our own transport.
"""

from typing import Any
from urllib.parse import urlsplit

from forehearth.core.secret import Secret
from forehearth.core.settings import ProviderSettings
from forehearth.providers.azure_openai import AzureOpenAISettings
from forehearth.providers.openai_compatible import OpenAICompatibleSettings


def endpoint(url: str, api_key: str | None = None) -> ProviderSettings:
    """A host that speaks OpenAI's API under this URL, such as `https://my-resource.openai.azure.com/openai/v1`."""
    return OpenAICompatibleSettings(base_url=url.rstrip("/"), api_key=Secret(api_key) if api_key else None)


def host_of(client: Any) -> ProviderSettings:
    """The host of a client. Raises `ValueError` where it cannot be told, or has another credential than a key."""
    if isinstance(client, ProviderSettings):
        return client
    url, key = getattr(client, "base_url", None), getattr(client, "api_key", None)
    if url is None:
        raise ValueError(
            f"a {type(client).__name__} is no client: give one of the OpenAI library, or endpoint(url, api_key)"
        )
    if not isinstance(key, str) or not key or getattr(client, "_azure_ad_token_provider", None) is not None:
        raise ValueError("the client has no API key: only clients with one can be taken over")
    version = getattr(client, "_api_version", None)
    if version is None:
        return endpoint(str(url), key)
    parts = urlsplit(str(url))
    return AzureOpenAISettings(
        endpoint=f"{parts.scheme}://{parts.netloc}", form="classic", api_version=version, api_key=Secret(key)
    )
