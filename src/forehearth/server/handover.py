"""The settings on their way from the parent to a child, secrets included: only ever through the socket between them."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from forehearth.core.secret import Secret
from forehearth.core.settings import ProviderSettings, Settings
from forehearth.core.settings_types import Values

Providers = Mapping[str, type[ProviderSettings]]
"""The kinds of backend there are, by the name the configuration file uses."""
Part = TypeVar("Part", bound=Values)


def pack(settings: Settings, providers: Providers) -> dict[str, Any]:
    """The settings as plain data that `unpack` makes the same settings of."""
    kinds = {kind: name for name, kind in providers.items()}
    return {
        "settings": msgspec.to_builtins(msgspec.structs.replace(settings, backends={}), enc_hook=_reveal),
        "backends": {
            name: (kinds[type(backend)], msgspec.to_builtins(backend, enc_hook=_reveal))
            for name, backend in settings.backends.items()
        },
    }


def unpack(packed: Mapping[str, Any], providers: Providers) -> Settings:
    """The settings that `pack` was given."""
    backends: dict[str, ProviderSettings] = {
        name: msgspec.convert(values, providers[kind], dec_hook=_conceal)
        for name, (kind, values) in packed["backends"].items()
    }
    settings = msgspec.convert(packed["settings"], Settings, dec_hook=_conceal)
    return msgspec.structs.replace(settings, backends=backends)


def pack_part(part: Values) -> dict[str, Any]:
    """A part of the settings without backends, likewise."""
    packed: dict[str, Any] = msgspec.to_builtins(part, enc_hook=_reveal)
    return packed


def unpack_part(packed: Mapping[str, Any], form: type[Part]) -> Part:
    """The part that `pack_part` was given."""
    return msgspec.convert(packed, form, dec_hook=_conceal)


def _reveal(value: object) -> object:
    if isinstance(value, Secret):
        return value.reveal()
    raise NotImplementedError(f"{type(value).__name__} in the settings cannot be handed over")


def _conceal(wanted: type, value: object) -> object:
    if wanted is Secret and isinstance(value, str):
        return Secret(value)
    raise NotImplementedError(f"{wanted.__name__} in the settings cannot be handed over")
