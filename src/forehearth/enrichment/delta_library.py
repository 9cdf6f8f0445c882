"""The library of Delta tables, with what it says of errors; or in one line what to do about its absence."""

import re
from typing import Final

from forehearth.core.errors import Misconfigured

try:
    import deltalake
    from deltalake import exceptions
except ImportError as error:
    raise Misconfigured(
        f"Delta tables need deltalake, which cannot be loaded ({error}): pip install 'forehearth[enrich]'"
    ) from error

__all__ = ["deltalake", "exceptions", "said"]

_UNSHOWN: Final = re.compile(r"\x1b\[[0-9;]*m|(?<=://)[^/\s@]+@")
"""Colours of a terminal, and who we are in an address."""
_MOST: Final = 300
"""Characters of what is said."""


def said(error: Exception) -> str:
    """What the library says, on one line and fit to be shown and kept."""
    return " ".join(_UNSHOWN.sub("", str(error)).split())[:_MOST]
