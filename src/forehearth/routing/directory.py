"""The deployments of this server and the routes that stand for them, by name."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

import msgspec

from forehearth.core.call import Call, Operation
from forehearth.core.errors import DeploymentNotFound, OperationNotSupported
from forehearth.core.principal import Principal
from forehearth.core.settings import ModelSettings
from forehearth.ports.provider import Provider
from forehearth.ports.sender import Sender


class Backend(msgspec.Struct, frozen=True, kw_only=True):
    """One place that can serve a deployment."""

    name: str
    provider: Provider
    sender: Sender
    model: str
    """The model's name there."""
    restarts: bool = False
    """Whether it is ours and comes back by itself, so that a broken connection means: try again in a moment."""


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """A name clients ask for, what is known of its model, and who serves it, in the order to be asked."""

    name: str
    facts: ModelSettings
    backends: tuple[Backend, ...]
    resource: str = ""
    """The resource that it belongs to; empty for the default one."""

    @property
    def label(self) -> str:
        """What metrics and logs call it: unlike `name`, no two of a server share it."""
        return f"{self.resource}/{self.name}" if self.resource else self.name


class Directory:
    """Looks names up. `created` (Unix seconds) is when this configuration was taken up: lists show it as a date."""

    def __init__(self, deployments: Mapping[str, Deployment], routes: Mapping[str, str], *, created: int) -> None:
        self.created = created
        self._named = {**deployments, **{route: deployments[target] for route, target in routes.items()}}

    def named(self, principal: Principal) -> Mapping[str, Deployment]:
        """Every name that this caller can ask for: deployments, then routes."""
        allowed = principal.deployments
        if allowed is None:
            return self._named
        return {name: found for name, found in self._named.items() if _is_among(allowed, name, found)}

    def resolve(self, call: Call) -> Deployment:
        """The deployment for a call. Raises `DeploymentNotFound`, `OperationNotSupported`."""
        deployment = self._named.get(call.name)
        allowed = call.principal.deployments
        if deployment is None or (allowed is not None and not _is_among(allowed, call.name, deployment)):
            raise DeploymentNotFound(
                "The API deployment for this resource does not exist. If you created the deployment within the last "
                "5 minutes, please wait a moment and try again."
            )
        if (deployment.facts.type == "embeddings") is not (call.operation is Operation.EMBEDDINGS):
            raise OperationNotSupported(
                f"The {call.operation.value} operation does not work with the specified model, {call.name}. Please "
                f"choose different model and try again. (Its deployment says model.type: {deployment.facts.type}.)",
                param="model",
            )
        return deployment


def _is_among(allowed: AbstractSet[str], name: str, deployment: Deployment) -> bool:
    """Whether a key's list has this name, or the deployment that a route's name stands for."""
    return name in allowed or deployment.name in allowed
