"""A deployment as the ledger has it, and what the tokens cost that it serves."""

from collections.abc import Callable

import msgspec

from forehearth.core.call import Call
from forehearth.core.usage import Usage


class Price(msgspec.Struct, frozen=True):
    """What some tokens cost, and by which prices."""

    amount: int
    """As `core.money` has it."""
    currency: str
    version: str


PriceOf = Callable[[str, str, Usage], Price | None]
"""What tokens cost that a backend used for a model: `(backend, model, usage)`; None where that is not known.

Without a backend it is the dearest of those that the deployment has.
"""


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment, as the ledger has it."""

    resource: str
    name: str
    price_of: PriceOf
    bound: Callable[[Call], Usage]
    """The tokens that a call may use at the most; asked where nothing was reserved for it."""
