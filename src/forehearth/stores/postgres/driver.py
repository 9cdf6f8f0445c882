"""The driver, or in one line what to do about its absence: it is an extra."""

from forehearth.core.errors import Misconfigured

try:
    import asyncpg
except ImportError as error:
    raise Misconfigured(
        f"store.postgres is set, and asyncpg cannot be loaded ({error}): pip install 'forehearth[postgres]'"
    ) from error

__all__ = ["asyncpg"]
