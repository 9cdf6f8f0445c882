"""Who a job asks: the server that runs here, or a host that it names with the keys of a backend."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Final

from forehearth.core.enrichment_settings import JobDeployment
from forehearth.core.errors import Misconfigured
from forehearth.core.secret import Secret
from forehearth.core.settings import ProviderSettings
from forehearth.enrichment.asking import Host
from forehearth.providers.openai_compatible import OpenAICompatibleSettings
from forehearth.registry import PROVIDERS, Surroundings
from forehearth.server.data_directory import DataDirectory, default_path
from forehearth.server.development_key import stored_key
from forehearth.transport.client import HttpClient

HOSTS: Final[Mapping[str, type[ProviderSettings]]] = {
    name: kind.settings for name, kind in PROVIDERS.items() if name != "embedded"
}
"""Kinds of host that a job can ask. Embedded models are asked through a server."""

_DEFAULT_URL: Final = "http://127.0.0.1:8080"


@contextlib.asynccontextmanager
async def opened(deployment: JobDeployment, environ: Mapping[str, str]) -> AsyncIterator[Host]:
    """Who is asked, ready to be. Raises `Misconfigured` where nobody is named and no server is here."""
    settings = deployment.backend or server_here(environ)
    kind = next(kind for kind in PROVIDERS.values() if kind.settings is type(settings))
    async with HttpClient() as http:
        around = Surroundings(http=http, environ=environ, embedded_socket="")
        opened = kind.open(deployment.name, settings, around)
        async with around.tokens:
            await around.tokens.begin()
            yield Host(provider=opened.provider, sender=opened.sender)


def server_here(environ: Mapping[str, str]) -> OpenAICompatibleSettings:
    """The server that the environment names, or the one whose data directory is here. Raises `Misconfigured`."""
    key, url = environ.get("FOREHEARTH_API_KEY"), environ.get("FOREHEARTH_URL")
    if key and url:
        return _server(url, Secret(key))
    data = DataDirectory(path=default_path(environ))
    secret = Secret(key) if key else stored_key(data)
    if secret is None:
        raise Misconfigured(
            "deployment: no server runs here and none is named: set FOREHEARTH_URL and FOREHEARTH_API_KEY, "
            "or name a host under deployment.backend"
        )
    return _server(url or _told(data), secret)


def _server(url: str, key: Secret) -> OpenAICompatibleSettings:
    return OpenAICompatibleSettings(base_url=url.rstrip("/") + "/openai/v1", api_key=key)


def _told(data: DataDirectory) -> str:
    """Where the server of a data directory says that it is."""
    with contextlib.suppress(OSError):
        told = (data.run / "addresses").read_text(encoding="utf-8").split()
        plain = [each for each in told if each.startswith("http://")]
        if plain:
            return plain[0]
    return _DEFAULT_URL
