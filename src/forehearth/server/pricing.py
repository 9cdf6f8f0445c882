"""Makes the prices of each deployment: by the configuration, or by the price list for what its backends are."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from forehearth.accounting.prices import PriceList, Tariffs, at, configured
from forehearth.accounting.served import Price, PriceOf
from forehearth.config.nearest import suggestion
from forehearth.core import money
from forehearth.core.call import Call
from forehearth.core.clock import Clock
from forehearth.core.errors import Misconfigured
from forehearth.core.settings import DeploymentBackend, DeploymentSettings, ProviderSettings
from forehearth.core.usage import Usage
from forehearth.routing.deployment import Deployment


class Pricing:
    """What prices are made with. Those that it makes are found again by their deployment's label."""

    def __init__(self, backends: Mapping[str, ProviderSettings], clock: Clock) -> None:
        self._backends = backends
        self._list: PriceList | None = None
        self._clock = clock
        self._by_label: dict[str, PriceOf] = {}

    def prices(self, deployment: Deployment, wanted: DeploymentSettings) -> PriceOf:
        """The prices of a deployment's backends."""
        found = self._by_label.get(deployment.label)
        if found is None:
            models = [backend.model for backend in deployment.backends]
            found = self._by_label[deployment.label] = self._of(models, wanted)
        return found

    def of(self, name: str, wanted: DeploymentSettings) -> PriceOf:
        """Those of a deployment that is not made yet. Raises `Misconfigured` for a price that is not listed."""
        return self._of([place.model or name for place in wanted.backends], wanted)

    def require_listed(self, wanted: DeploymentSettings) -> None:
        """Raises `Misconfigured` where a price is meant that is not in the list."""
        for name in (wanted.price_as, *(place.price_as for place in wanted.backends)):
            if name is not None:
                self._listed_as(name)

    def amount(self, call: Call, usage: Usage) -> Decimal | None:
        """What a call costs that uses so much; before it was answered, at the dearest of its backends."""
        record = call.record
        price_of = self._by_label.get(record.deployment)
        price = None if price_of is None else price_of(record.backend, record.model, usage)
        return None if price is None else money.amount(price.amount)

    def _of(self, models: Sequence[str], wanted: DeploymentSettings) -> PriceOf:
        tariffs = {
            (place.backend, model): self._tariffs(place, model, wanted)
            for place, model in zip(wanted.backends, models, strict=True)
        }
        return DeploymentPrices(tariffs, self._clock)

    @property
    def _prices(self) -> PriceList:
        """The list, read when something is looked up in it."""
        if self._list is None:
            self._list = PriceList.shipped()
        return self._list

    def _tariffs(self, place: DeploymentBackend, model: str, wanted: DeploymentSettings) -> Tariffs:
        for said in (place, wanted):
            if said.prices is not None:
                return (configured(said.prices),)
            if said.price_as is not None:
                return self._listed_as(said.price_as)
        return self._listed(self._backends[place.backend], _names(model, wanted))

    def _listed_as(self, name: str) -> Tariffs:
        provider, _, model = name.partition("/")
        found = self._prices.find(provider, model)
        if not found:
            known = self._prices.models(provider)
            hint = (
                suggestion(model, known, "it has") if known else suggestion(provider, self._prices.providers, "it has")
            )
            raise Misconfigured(f"price_as: the price list has no price of '{name}'; {hint}")
        return found

    def _listed(self, settings: ProviderSettings, names: Sequence[str]) -> Tariffs:
        provider = settings.priced_as
        if provider is None:
            url = getattr(settings, "address", None)
            provider = None if url is None else self._prices.provider_at(url)
        if provider is None:
            return ()
        return next((found for name in names if (found := self._prices.find(provider, name))), ())


class DeploymentPrices:
    """The prices of one deployment: a `PriceOf`."""

    def __init__(self, tariffs: Mapping[tuple[str, str], Tariffs], clock: Clock) -> None:
        self._tariffs = tariffs
        self._clock = clock

    def __call__(self, backend: str, model: str, usage: Usage) -> Price | None:
        """See `accounting.served.PriceOf`."""
        if backend:
            return self._price(self._tariffs.get((backend, model), ()), usage)
        dearest: Price | None = None
        for tariffs in self._tariffs.values():
            price = self._price(tariffs, usage)
            if price is None or (dearest is not None and price.currency != dearest.currency):
                return None
            if dearest is None or price.amount > dearest.amount:
                dearest = price
        return dearest

    def _price(self, tariffs: Tariffs, usage: Usage) -> Price | None:
        tariff = at(tariffs, self._clock.unix()) if tariffs else None
        return None if tariff is None else tariff.price(usage)


def _names(model: str, wanted: DeploymentSettings) -> Sequence[str]:
    """What the model may be called in a list: by its own name and version, its own name, its name at the backend."""
    facts = wanted.model
    names = [model]
    if facts.name is not None:
        names = [facts.name, *names]
        if facts.version is not None:
            names = [f"{facts.name}-{facts.version}", *names]
    return names
