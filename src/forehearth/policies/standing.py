"""What a caller's calls are held against: the limits of their deployment, their product and their project."""

from collections.abc import Mapping, Sequence

import msgspec

from forehearth.accounting.budgets import Budget
from forehearth.accounting.leases import Lease
from forehearth.core.principal import Principal


class Applying(msgspec.Struct, frozen=True, kw_only=True):
    """The limits that apply to a call: of its deployment, its product and its project together."""

    budgets: tuple[Budget, ...]
    """Those that few callers share come first: nobody holds what many share while waiting for what is their own."""
    longest: int | None
    """Tokens of the longest answer of one choice."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller's calls in a project are held against."""

    principal: Principal
    budgets: Sequence[Budget]
    longest: int | None
    """Both as in `Applying`."""
    leases: tuple[tuple[Budget, Lease], ...] | None
    """One for each budget; None where every call says anew which counters it is held against."""
    generation: int
    """That of the leases. What was forgotten since has nothing free, so a call would go the long way each time."""


class LimitsOf(msgspec.Struct, frozen=True, kw_only=True):
    """Limits by where they stand, with the longest answers they allow."""

    deployment: Sequence[Budget] = ()
    products: Mapping[str, Sequence[Budget]] = {}
    projects: Mapping[str, Sequence[Budget]] = {}
    longest_of_deployment: int | None = None
    longest_of_products: Mapping[str, int] = {}
    longest_of_projects: Mapping[str, int] = {}

    def applying(self, product: str, project: str) -> Applying:
        """To calls of a product, in a project; empty names for none."""
        found = (*self.deployment, *self.products.get(product, ()), *self.projects.get(project, ()))
        longest = (
            self.longest_of_deployment,
            self.longest_of_products.get(product),
            self.longest_of_projects.get(project),
        )
        return Applying(
            budgets=tuple(sorted(found, key=lambda each: each.breadth)),
            longest=min((each for each in longest if each is not None), default=None),
        )
