"""Which surface of a resource a raw path belongs to."""

from collections.abc import Callable, Collection, Sequence

import msgspec

from forehearth.ports.door import Door
from forehearth.ports.hosts import Hosts
from forehearth.ports.surface import Surface
from forehearth.routing.directory import Directory
from forehearth.wire import azure_deployments, foundry_models, openai_v1, projects
from forehearth.wire.table import Row

SurfaceOf = Callable[[bytes], Surface | None]
"""From a raw path to its surface; None for paths that are none of ours."""


class Families(msgspec.Struct, frozen=True, kw_only=True):
    """What is done on a resource besides calls, by where it is found."""

    v1: Sequence[Row] = ()
    """Below `/openai/v1`, and below `openai/v1` of each project."""
    v1_of_resource: Sequence[Row] = ()
    """Below `/openai/v1` alone: a project has them elsewhere."""
    classic: Sequence[Row] = ()
    """Below `/openai`."""
    project: Sequence[Row] = ()
    """Below each project."""


NONE = Families()
FamiliesOf = Callable[[str, Door, Hosts], Families]
"""What is done on a resource besides calls, from its name, the way to its models, and what is known of their hosts."""


def surfaces(
    directory: Directory, project_names: Collection[str] = (), families: Families = NONE
) -> list[tuple[bytes, Surface]]:
    """Every surface of one resource, by its prefix. The longest prefix is first: `/openai/v1` before `/openai`."""
    return [
        (openai_v1.PREFIX, openai_v1.OpenAIV1(directory, (*families.v1, *families.v1_of_resource))),
        (azure_deployments.PREFIX, azure_deployments.AzureDeployments(directory, families.classic)),
        (foundry_models.PREFIX, foundry_models.FoundryModels(directory)),
        (
            projects.PREFIX,
            projects.Projects(directory, project_names, rows=families.project, v1=families.v1),
        ),
    ]


def surface_of(directory: Directory, project_names: Collection[str] = (), families: Families = NONE) -> SurfaceOf:
    """Make the look-up."""
    by_prefix = surfaces(directory, project_names, families)
    at_the_root = dict.fromkeys(foundry_models.ROOT_PATHS, dict(by_prefix)[foundry_models.PREFIX])

    def find(raw_path: bytes) -> Surface | None:
        for prefix, surface in by_prefix:
            if raw_path.startswith(prefix) and raw_path[len(prefix) : len(prefix) + 1] in (b"/", b""):
                return surface
        return at_the_root.get(raw_path)

    return find
