"""What the configuration says of prices: of a deployment, or of one of its backends."""

from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from forehearth.core.settings_types import Values

Money = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[0-9]{1,7}(\.[0-9]{1,6})?$",
        description="an amount with at most seven digits before the point and six behind it, such as 2.50",
        extra={"amount": True},
    ),
]
Currency = Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$", description="a currency's code, such as USD")]
ListedAs = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[a-z0-9_-]{1,40}/[^\s/][^\s]{0,127}$", description="a provider and a model, such as openai/gpt-4o"
    ),
]


class PriceSettings(Values, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What tokens cost here."""

    input: Money
    """Tokens of a prompt."""
    cached_input: Money | None = None
    """Tokens of a prompt that the host found in its own cache; as `input`, unless given."""
    output: Money | None = None
    """Tokens of an answer, reasoning included. Unless given, an answer that has some has no known price."""
    per: Literal[1_000_000, 1_000] = 1_000_000
    """For so many tokens."""
    currency: Currency = "USD"
    """In this currency. Limits in money count amounts of all currencies alike."""

    def of_one(self, amount: str) -> Decimal:
        """What one token costs, exactly."""
        return Decimal(amount) / self.per
