"""Which surface a raw path belongs to."""

from collections.abc import Callable

from forehearth.ports.surface import Surface
from forehearth.routing.directory import Directory
from forehearth.wire import azure_deployments, foundry_models, openai_v1


def surface_of(directory: Directory) -> Callable[[bytes], Surface | None]:
    """Make the look-up. The longest prefix wins: `/openai/v1` before `/openai`."""
    by_prefix: list[tuple[bytes, Surface]] = [
        (openai_v1.PREFIX, openai_v1.OpenAIV1(directory)),
        (azure_deployments.PREFIX, azure_deployments.AzureDeployments(directory)),
        (foundry_models.PREFIX, foundry_models.FoundryModels(directory)),
    ]
    at_the_root = dict.fromkeys(foundry_models.ROOT_PATHS, by_prefix[-1][1])

    def find(raw_path: bytes) -> Surface | None:
        for prefix, surface in by_prefix:
            if raw_path.startswith(prefix) and raw_path[len(prefix) : len(prefix) + 1] in (b"/", b""):
                return surface
        return at_the_root.get(raw_path)

    return find
