"""To the deployments that a call asks for, and back."""

from collections.abc import Mapping

import msgspec

from forehearth.core.call import Call
from forehearth.core.exchange import Header, Reply
from forehearth.policies.onion import Proceed
from forehearth.routing.chain import serve
from forehearth.routing.deployment import Deployment
from forehearth.routing.directory import Directory


async def carry(directory: Directory, onions: Mapping[str, Proceed], call: Call) -> Reply:
    """See `ports.door`."""
    deployment, reply = await serve(directory.resolve(call), call, onions)
    return msgspec.structs.replace(reply, headers=[*reply.headers, served_by(deployment)])


def served_by(deployment: Deployment) -> Header:
    """The header that names who answered."""
    return (b"x-ms-deployment-name", deployment.name.encode())
