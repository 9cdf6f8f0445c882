"""Hosts that answer functions by a script, within this process."""

from typing import Any

import msgspec

from forehearth.core.settings import ProviderSettings
from forehearth.registry import PROVIDER_SETTINGS

SCRIPTED = PROVIDER_SETTINGS["scripted"]

FILTERED = {
    "when": {"contains": "filtered words"},
    "status": 400,
    "error": {"code": "content_filter", "message": "The prompt was filtered."},
}


def scripted(*rules: dict[str, Any], **settings: Any) -> ProviderSettings:
    """A host that answers by these rules."""
    found: ProviderSettings = msgspec.convert({"rules": list(rules), **settings}, SCRIPTED)
    return found


def saying(words: str, answer: Any) -> dict[str, Any]:
    """A rule: what is asked with these words has this answer, a text or JSON."""
    return {"when": {"contains": words}, ("answer" if isinstance(answer, str) else "json"): answer}
