"""Which models of a configuration run here, in the model host."""

from forehearth.core.settings import Settings
from forehearth.embedded.catalogue import CATALOGUE
from forehearth.providers.embedded import EmbeddedSettings
from forehearth.server.orders import EmbeddedModel


def embedded_models(settings: Settings) -> tuple[EmbeddedModel, ...]:
    """Every model that some deployment reaches through an embedded backend, once, in the file's order."""
    found = {}
    tenants = (settings.deployments, *(resource.deployments for resource in settings.resources.values()))
    for name, deployment in (named for deployments in tenants for named in deployments.items()):
        for each in deployment.backends:
            if isinstance(settings.backends.get(each.backend), EmbeddedSettings):
                model = EmbeddedModel(name=each.model or name, type=deployment.model.type)
                found[model.name] = model
    return tuple(found.values())


def awaited(models: tuple[EmbeddedModel, ...]) -> tuple[EmbeddedModel, ...]:
    """Those of `models` that have to be here before the server is ready; the others are fetched when they are asked."""
    return tuple(each for each in models if each.name not in CATALOGUE or not CATALOGUE[each.name].on_first_use)


def engine_threads(settings: Settings) -> int | None:
    """The threads that the embedded backends ask for, the most of them; None leaves it to the engine."""
    asked = [each.threads for each in settings.backends.values() if isinstance(each, EmbeddedSettings) and each.threads]
    return max(asked, default=None)
