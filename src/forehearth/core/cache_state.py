"""How the cache of one deployment does, for those who operate it."""

import msgspec


class CacheState(msgspec.Struct, frozen=True, kw_only=True):
    """What one deployment's cache is and holds in this worker."""

    deployment: str
    """By its name in its resource."""
    label: str
    """What metrics call it."""
    exact: bool
    semantic: str
    """`off`, `shadow` or `on`."""
    entries: int
    bytes: int
    """About."""
