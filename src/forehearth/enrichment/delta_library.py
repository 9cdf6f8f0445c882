"""The library of Delta tables, or in one line what to do about its absence: it is an extra."""

from forehearth.core.errors import Misconfigured

try:
    import deltalake
    from deltalake import exceptions
except ImportError as error:
    raise Misconfigured(
        f"Delta tables need deltalake, which cannot be loaded ({error}): pip install 'forehearth[enrich]'"
    ) from error

__all__ = ["deltalake", "exceptions"]
