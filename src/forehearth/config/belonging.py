"""Where a key belongs that stands in the wrong place, and what a key that is missing is for."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final

import msgspec
import msgspec.inspect as types

from forehearth.config.docstrings import Docstrings
from forehearth.config.nearest import listed, nearest
from forehearth.config.problems import Path as KeyPath
from forehearth.core.settings import ProviderSettings, Settings

PROVIDER: Final = "provider"
"""The key of a backend that chooses which keys it has beside it."""
_FEW = 2
_NAMED = ("backends", "deployments", "routes")


class Belonging:
    """Every key there is, by its name. Nothing is looked up before something is wrong."""

    def __init__(self, providers: Mapping[str, type[ProviderSettings]], root: type = Settings) -> None:
        self._providers = providers
        self._root = root
        self._docstrings = Docstrings()

    @cached_property
    def _classes(self) -> dict[type, str]:
        return {cls: name for name, cls in self._providers.items()}

    @cached_property
    def _keys_of(self) -> dict[str, set[str]]:
        """For each key of a backend, the providers that have it."""
        found: dict[str, set[str]] = {}
        for provider, cls in self._providers.items():
            for field in msgspec.structs.fields(cls):
                found.setdefault(field.encode_name, set()).add(provider)
        return found

    @cached_property
    def _places(self) -> dict[str, list[str]]:
        """For each key, what it stands under; keys of a backend itself are left out."""
        found: dict[str, list[str]] = {}
        for name, parent in _walk(types.type_info(self._root), ""):
            found.setdefault(name, []).append(parent)
        for cls in self._providers.values():
            for name, parent in _walk(types.type_info(cls), ""):
                if parent:
                    found.setdefault(name, []).append(f"backends.NAME.{parent}")
        return found

    def hint(self, name: str, known: Sequence[str], cls: type, path: KeyPath) -> str:
        """What to do about a key that is not among `known`, the keys of `cls`."""
        places = self._related(name, path)
        close = nearest(name, known)
        if close is not None and not places:
            return f"did you mean '{close}'?"
        provider = self._classes.get(cls) if len(path) == _FEW and path[0] == "backends" else None
        others = self._keys_of.get(name, set()) - {provider}
        if provider is not None and others:
            return f"it is a key of provider {listed(sorted(others))}, and this backend's provider is '{provider}'"
        if path[:1] == ("deployments",) and (others or name == PROVIDER):
            places = ["backends.NAME"]
        if places:
            return "it belongs " + " or ".join(
                f"under '{place}'" if place else "at the top of the file" for place in places
            )
        return f"the keys here are {listed(known)}" if known else "there are no keys here"

    def _related(self, name: str, path: KeyPath) -> list[str]:
        """What has a key of this name and stands around `path` or within it."""
        here = _pattern(path)
        places = dict.fromkeys(self._places.get(name, []))
        near = [place for place in places if not here or place.startswith((f"{here}.", f"{here}[")) or not place]
        return near if len(near) <= _FEW else []

    def purpose(self, cls: type, field: types.Field) -> str:
        """What a missing key is for, in its own documentation's words."""
        type_ = field.type.type if isinstance(field.type, types.Metadata) else field.type
        if isinstance(type_, types.LiteralType) and len(type_.values) == 1:
            return f"add '{field.encode_name}: {type_.values[0]}'"
        text = self._docstrings.about(cls).members.get(field.name, "").replace("\n", " ")
        return f"{field.encode_name}: {text}" if text else ""


def _pattern(path: KeyPath) -> str:
    """A place, as `_walk` writes it: keys under `backends`, `deployments` and `routes` are names of one's own."""
    steps = [
        "[]" if isinstance(step, int) else ".NAME" if index == 1 and path[0] in _NAMED else f".{step}"
        for index, step in enumerate(path)
    ]
    return "".join(steps).removeprefix(".")


def _walk(type_: types.Type, parent: str) -> Iterator[tuple[str, str]]:
    """Every key below a type, and what it stands under, names of one's own choice as NAME."""
    match type_:
        case types.Metadata(type=inner):
            yield from _walk(inner, parent)
        case types.UnionType(types=options):
            for each in options:
                yield from _walk(each, parent)
        case types.CollectionType(item_type=item):
            yield from _walk(item, f"{parent}[]")
        case types.DictType(value_type=value):
            yield from _walk(value, f"{parent}.NAME")
        case types.StructType(fields=fields):
            for field in fields:
                yield field.encode_name, parent
                yield from _walk(field.type, f"{parent}.{field.encode_name}" if parent else field.encode_name)
