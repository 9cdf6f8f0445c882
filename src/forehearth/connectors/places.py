"""Where a shape is found: at the one origin of a server, or at the public addresses of an Azure resource."""

import re
from typing import Final, Self
from urllib.parse import quote, unquote, urlsplit

import msgspec

from forehearth.connectors.shapes import Shape
from forehearth.core.errors import InvalidField

DEFAULT_PROJECT: Final = "default"
_RESOURCE: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}[A-Za-z0-9])?")
_AZURE: Final = re.compile(
    r"[a-z0-9-]+\.(?:services\.ai|openai|cognitiveservices)\.azure\.(?:com|us|cn)", re.IGNORECASE
)
_PROJECT: Final = re.compile(r"^(?P<before>.*)/api/projects/(?P<project>[^/]+)(?:/.*)?$")
_SHAPE: Final = re.compile(r"^(?P<before>.*?)/(?:openai|models)(?:/.*)?$")


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """A server or a resource; and the project that is meant there."""

    origin: str
    """Scheme, host and port, and the path that all shapes hang under; no slash at its end. Empty for a resource."""
    resource: str = ""
    """The name of an Azure resource, each of whose shapes has a host of its own."""
    project: str = DEFAULT_PROJECT

    @classmethod
    def of_resource(cls, name: str, project: str | None = None) -> Self:
        """The public addresses of an Azure resource. Raises `InvalidField` for what cannot be the name of one."""
        if not _RESOURCE.fullmatch(name):
            raise InvalidField(
                "The name of a resource has letters, digits and hyphens: what comes before .openai.azure.com",
                param="resource",
            )
        return cls(origin="", resource=name.lower(), project=project or DEFAULT_PROJECT)

    @classmethod
    def of_url(cls, url: str, project: str | None = None) -> Self:
        """The server that has this address, in any form that is pasted: an origin, or the base URL of a shape.

        Raises `InvalidField` for what is no address.
        """
        try:
            parts = urlsplit(url.strip())
            usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            usable = False
        if not usable or "@" in parts.netloc:
            raise InvalidField("An address has the form http://host:port or https://host, without a user.", param="url")
        path = parts.path.rstrip("/")
        below = _PROJECT.match(path)
        found = below or _SHAPE.match(path)
        if found is not None:
            path = found["before"]
        named = unquote(below["project"]) if below else DEFAULT_PROJECT
        return cls(origin=f"{parts.scheme}://{parts.netloc}{path}", project=project or named)

    @property
    def is_azure(self) -> bool:
        """Whether Microsoft's service answers there."""
        return not self.origin or _AZURE.fullmatch(urlsplit(self.origin).hostname or "") is not None

    def origin_of(self, shape: Shape) -> str:
        """Where this shape is dialled."""
        return self.origin or f"https://{shape.host.format(resource=self.resource)}"

    def base(self, shape: Shape) -> str:
        """The shape's base URL, as its clients are given it."""
        return self.origin_of(shape) + shape.base.replace("{project}", quote(self.project, safe=""))
