"""What is done on each resource besides calls, put together: one line a family of endpoints."""

import secrets
import uuid
from collections.abc import Sequence
from functools import partial
from typing import Protocol

from forehearth.agents.service import Agents
from forehearth.assets.family import DATASETS, INDEXES
from forehearth.assets.service import Assets
from forehearth.conversations.service import Conversations
from forehearth.core.clock import Clock
from forehearth.files.service import Files
from forehearth.jobs.desk import Desk
from forehearth.ports.documents import DocumentStore
from forehearth.ports.door import Door
from forehearth.ports.hosts import Hosts
from forehearth.responses.attachments import Attachments
from forehearth.server.assistants import made_assistants
from forehearth.server.reach import Reach
from forehearth.server.responses import KIND, Around, made_responses
from forehearth.server.working import Workshop
from forehearth.stored_completions.service import StoredCompletions
from forehearth.wire import agent_endpoint, conversations, media, responses, stored_completions
from forehearth.wire import agents as agents_wire
from forehearth.wire import assets as assets_wire
from forehearth.wire import files as files_wire
from forehearth.wire.azure_deployments import AzureDeployments
from forehearth.wire.openai_v1 import OpenAIV1
from forehearth.wire.surfaces import Families, FamiliesOf
from forehearth.wire.table import Row

_RANDOM_BYTES = 24


class Kept(Protocol):
    """The stores that the families need."""

    @property
    def documents(self) -> DocumentStore:
        """Of things."""
        ...

    @property
    def jobs(self) -> Desk:
        """Of work."""
        ...


def families(
    stores: Kept, clock: Clock, connections: Sequence[Row], workshop: Workshop, *, reach: Reach, upload_bytes: int
) -> FamiliesOf:
    """What makes them for a resource, from the way to its models. Things are kept in `stores`.

    What is done in the background is done in the `workshop`. `connections` are the endpoints of those.
    """
    documents = stores.documents
    agents = Agents(documents, clock=clock, new_id=lambda: str(uuid.uuid4()))
    indexes, datasets = (Assets(documents, family, clock=clock) for family in (INDEXES, DATASETS))
    talks = Conversations(documents, new_id=new_id, clock=clock)
    stored = StoredCompletions(documents, clock=clock)
    kept_files = Files(documents, reach.blobs, clock=clock, new_id=lambda: f"file-{uuid.uuid4().hex}")
    files = files_wire.rows(kept_files, most=upload_bytes)

    around = Around(
        documents=documents,
        jobs=stores.jobs,
        conversations=talks,
        agents=agents,
        attachments=Attachments(kept_files, reach.egress),
        sealer=reach.sealer,
        sources_at=reach.sources_at,
        clock=clock,
        nudge=workshop.nudge,
    )

    def made(resource: str, door: Door, hosts: Hosts) -> Families:
        answered, work = made_responses(around, door, hosts)
        workshop.add(KIND, resource, work)
        sounds = partial(media.rows, door, reach.spool, upload_bytes=upload_bytes)
        v1_media, classic_media = sounds(surface=OpenAIV1.name), sounds(surface=AzureDeployments.name)
        classic_agents, classic_agents_of_project = made_assistants(around, door, workshop, resource)
        v1 = (
            *responses.rows(answered),
            *conversations.rows(talks),
            *stored_completions.rows(stored),
            *files,
            *v1_media,
            *media.with_deployment(v1_media),
        )
        classic = (
            *responses.rows(answered),
            *responses.with_deployment(answered),
            *files,
            *classic_agents,
            *media.with_deployment(classic_media),
        )
        project = (
            *agents_wire.rows(agents),
            *classic_agents_of_project,
            *agent_endpoint.rows((*responses.rows(answered), *conversations.rows(talks)), agents),
            *connections,
            *assets_wire.rows(indexes, datasets),
        )
        return Families(v1=v1, v1_of_resource=classic_agents, classic=classic, project=project)

    return made


def new_id(prefix: str) -> str:
    """An id that nobody can guess, in the form of the service's: `conv_` and figures."""
    return f"{prefix}_{secrets.token_hex(_RANDOM_BYTES)}"
