"""What the configuration says of prices, looked at before the first call: a limit in money needs them.

A call whose price is not known cannot be held against such a limit, so it could only be refused.
"""

from collections.abc import Iterator

from forehearth.config.problems import ConfigError, Path, Problem, written
from forehearth.core.clock import SystemClock
from forehearth.core.errors import Misconfigured
from forehearth.core.limit_settings import LimitSettings
from forehearth.core.settings import DeploymentSettings, ResourceSettings, Settings
from forehearth.core.usage import Usage
from forehearth.server.pricing import Pricing
from forehearth.server.tenants import all_resources

_ADD = "add prices to it, such as prices: {input: 2.50, output: 10}; what costs nothing has prices of 0"


def require_prices(settings: Settings, file: str) -> None:
    """Raises `ConfigError` where a price is not listed, or is not known where a limit is in money."""
    pricing = Pricing(settings.backends, SystemClock())
    problems: list[Problem] = []
    for name, resource in all_resources(settings).items():
        top: Path = () if name == settings.server.resource else ("resources", name)
        for path, message, hint in _problems(pricing, resource):
            problems.append(
                Problem(file=file, line=0, column=0, path=written((*top, *path)), message=message, hint=hint)
            )
    if problems:
        raise ConfigError(problems)


def _problems(pricing: Pricing, resource: ResourceSettings) -> Iterator[tuple[Path, str, str]]:
    for name, deployment in resource.deployments.items():
        try:
            pricing.require_listed(deployment)
        except Misconfigured as error:
            yield ("deployments", name), error.message, ""
            return
    for path, limited in _in_money(resource):
        for name in limited:
            deployment = resource.deployments[name]
            if pricing.of(name, deployment)("", "", _used(deployment)) is None:
                problem = f"what calls of '{name}' cost is not known, or in several currencies"
                yield path, f"this limit is in money, and {problem}", _ADD


def _in_money(resource: ResourceSettings) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Every limit in money, and the deployments whose calls are held against it."""
    for name, deployment in resource.deployments.items():
        for key in _keys(deployment.limits):
            yield ("deployments", name, *key), (name,)
    for name, product in resource.products.items():
        for key in _keys(product.limits):
            yield ("products", name, *key), tuple(product.deployments or resource.deployments)
    for name, project in resource.projects.items():
        for key in _keys(project.limits):
            yield ("projects", name, *key), tuple(resource.deployments)


def _keys(limits: tuple[LimitSettings, ...]) -> Iterator[Path]:
    for index, limit in enumerate(limits):
        if limit.measure.unit == "amount":
            yield "limits", index, limit.key


def _used(deployment: DeploymentSettings) -> Usage:
    """What any call of it may use some of."""
    return Usage(prompt=1, completion=0 if deployment.model.type == "embeddings" else 1)
