"""Amounts of money as whole numbers, so that sums of millions of them are exact and quick: 10^-12 of a currency's unit.

Prices have at most six decimals for a million tokens, so what a token costs is such a number.
"""

from decimal import Decimal

_PLACES = 12
UNIT = 10**_PLACES
"""One whole unit of a currency."""


def units(amount: Decimal) -> int:
    """An amount as a whole number. Raises `ValueError` where it is none."""
    found = amount.scaleb(_PLACES)
    if found != found.to_integral_value():
        raise ValueError(f"{amount} is not a multiple of 10^-{_PLACES}")
    return int(found)


def amount(units_: int) -> Decimal:
    """The amount that such a number stands for."""
    return Decimal(units_).scaleb(-_PLACES)


def plain(units_: int) -> str:
    """The same in figures, without an exponent, and without zeros at its end."""
    whole, part = divmod(abs(units_), UNIT)
    figures = f"{whole}.{part:0{_PLACES}d}".rstrip("0").rstrip(".")
    return f"-{figures}" if units_ < 0 else figures
