"""Who a credential turned out to be."""

import msgspec


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """The caller, after identification. `name` is fit for logs and metrics; it is never the credential."""

    name: str
    kind: str
    """`key`; tokens come with identity."""
