"""The resources of a configuration: the default one, and those that it names."""

from forehearth.core.settings import ResourceSettings, Settings


def all_resources(settings: Settings) -> dict[str, ResourceSettings]:
    """Every resource by its name; the default one is what stands at the top of the configuration."""
    default = ResourceSettings(
        deployments=settings.deployments,
        routes=settings.routes,
        projects=settings.projects,
        products=settings.products,
    )
    return {settings.server.resource: default, **settings.resources}
