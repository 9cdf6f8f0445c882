"""Makes the limits that the configuration asks for, each with what it works with."""

from collections.abc import Iterable

from forehearth.accounting.budgets import Budget, PriceOf, Section
from forehearth.accounting.leases import Leases
from forehearth.accounting.tokens import TokenBounds, vocabulary
from forehearth.core.errors import Misconfigured
from forehearth.core.limit_settings import LimitSettings
from forehearth.core.settings import DeploymentSettings, ResourceSettings
from forehearth.policies.drains import Drains
from forehearth.policies.fit import FitContext
from forehearth.policies.limits import HoldToLimits
from forehearth.policies.onion import Policy
from forehearth.policies.standing import LimitsOf
from forehearth.policies.usage import CountUsage
from forehearth.routing.deployment import Deployment
from forehearth.telemetry.metrics import Metrics


class Limiting:
    """What limits are made with."""

    def __init__(self, leases: Leases | None, drains: Drains, metrics: Metrics, price_of: PriceOf) -> None:
        self._leases = leases
        self._drains = drains
        self._metrics = metrics
        self._price_of = price_of
        self._bounds: dict[str, TokenBounds] = {}

    def tokens(self, deployment: Deployment, wanted: DeploymentSettings) -> TokenBounds:
        """The bounds of a deployment's calls, whoever asks for them."""
        found = self._bounds.get(deployment.label)
        if found is None:
            model = wanted.model.name or deployment.backends[0].model
            counter = vocabulary(wanted.tokens.vocabulary)
            found = self._bounds[deployment.label] = TokenBounds(wanted.tokens, model, counter)
        return found

    def usage(self, deployment: Deployment, wanted: DeploymentSettings) -> CountUsage:
        """What finds out what a deployment's answers used."""
        return CountUsage(
            deployment.label,
            self._metrics,
            tokens=self.tokens(deployment, wanted),
            drains=self._drains if wanted.on_client_gone == "drain" else None,
            asks=wanted.ask_usage,
        )

    def fit(self, deployment: Deployment, wanted: DeploymentSettings) -> FitContext:
        """What fits conversations into its context."""
        return FitContext(self.tokens(deployment, wanted), wanted.model.context_tokens)

    def policies(self, resource: ResourceSettings, deployment: Deployment, wanted: DeploymentSettings) -> list[Policy]:
        """The limits of a deployment's calls, as a layer around them; none where there are none."""
        products = {
            name: product.limits
            for name, product in resource.products.items()
            if product.deployments is None or deployment.name in product.deployments
        }
        projects = {name: project.limits for name, project in resource.projects.items()}
        if not (wanted.limits or any(products.values()) or any(projects.values())):
            return []
        if self._leases is None:
            raise Misconfigured("there are limits, and no counters were opened for them")
        label = deployment.resource
        limits = LimitsOf(
            deployment=self._budgets(label, "deployments", deployment.name, wanted.limits),
            products={name: self._budgets(label, "products", name, its) for name, its in products.items()},
            projects={name: self._budgets(label, "projects", name, its) for name, its in projects.items()},
            longest_of_deployment=_longest(wanted.limits),
            longest_of_products={name: most for name, its in products.items() if (most := _longest(its)) is not None},
            longest_of_projects={name: most for name, its in projects.items() if (most := _longest(its)) is not None},
        )
        meter = self._metrics.limits
        tokens = self.tokens(deployment, wanted)
        return [HoldToLimits(deployment.label, limits, tokens=tokens, leases=self._leases, meter=meter)]

    def _budgets(
        self, resource: str, section: Section, place: str, limits: Iterable[LimitSettings]
    ) -> tuple[Budget, ...]:
        found = []
        for index, limit in enumerate(limits):
            if limit.measure.unit == "output":
                continue
            price_of = self._price_of
            found.append(Budget(limit, resource=resource, section=section, place=place, index=index, price_of=price_of))
        return tuple(found)


def _longest(limits: Iterable[LimitSettings]) -> int | None:
    return min((limit.output_tokens for limit in limits if limit.output_tokens is not None), default=None)
