"""Which surface of a resource a raw path belongs to."""

from collections.abc import Callable, Collection

from forehearth.ports.surface import Surface
from forehearth.routing.directory import Directory
from forehearth.wire import azure_deployments, foundry_models, openai_v1, projects

SurfaceOf = Callable[[bytes], Surface | None]
"""From a raw path to its surface; None for paths that are none of ours."""


def surfaces(directory: Directory, project_names: Collection[str] = ()) -> list[tuple[bytes, Surface]]:
    """Every surface of one resource, by its prefix. The longest prefix is first: `/openai/v1` before `/openai`."""
    return [
        (openai_v1.PREFIX, openai_v1.OpenAIV1(directory)),
        (azure_deployments.PREFIX, azure_deployments.AzureDeployments(directory)),
        (foundry_models.PREFIX, foundry_models.FoundryModels(directory)),
        (projects.PREFIX, projects.Projects(directory, project_names)),
    ]


def surface_of(directory: Directory, project_names: Collection[str] = ()) -> SurfaceOf:
    """Make the look-up."""
    by_prefix = surfaces(directory, project_names)
    at_the_root = dict.fromkeys(foundry_models.ROOT_PATHS, dict(by_prefix)[foundry_models.PREFIX])

    def find(raw_path: bytes) -> Surface | None:
        for prefix, surface in by_prefix:
            if raw_path.startswith(prefix) and raw_path[len(prefix) : len(prefix) + 1] in (b"/", b""):
                return surface
        return at_the_root.get(raw_path)

    return find
