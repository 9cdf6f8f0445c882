"""The deployments of this server and the routes that stand for them, by name."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Final

from forehearth.core.call import Call, Operation
from forehearth.core.errors import DeploymentClosed, DeploymentNotFound, OperationNotSupported
from forehearth.core.principal import Principal
from forehearth.routing.deployment import Deployment
from forehearth.routing.routes import Chain, Route

_SPILLOVER = b"x-ms-spillover-deployment"
"""The header that names the deployment to spill over to, for one call."""


OPERATIONS_OF: Final[Mapping[str, frozenset[Operation]]] = {
    "chat_completion": frozenset({Operation.CHAT, Operation.COMPLETIONS}),
    "completion": frozenset({Operation.CHAT, Operation.COMPLETIONS}),
    "embeddings": frozenset({Operation.EMBEDDINGS}),
    "audio_transcription": frozenset({Operation.TRANSCRIPTIONS, Operation.TRANSLATIONS}),
    "audio_generation": frozenset({Operation.SPEECH}),
    "image_generation": frozenset({Operation.IMAGES, Operation.IMAGE_EDITS}),
}
"""What a model of each type may be asked for."""
_PICTURES: Final = OPERATIONS_OF["image_generation"]
_NO_IMAGE_MODEL: Final = (
    " No image model is installed here, and none is embedded: add a deployment with 'model: {type: image_generation}' "
    "on a backend that has one (docs/how-to/media.md)."
)


class Directory:
    """Looks names up. `created` (Unix seconds) is when this configuration was taken up: lists show it as a date."""

    def __init__(self, deployments: Mapping[str, Deployment], routes: Mapping[str, Route], *, created: int) -> None:
        self.created = created
        self._deployments = deployments
        self._routes = routes
        self._chains = {name: (found,) for name, found in deployments.items()}

    def named(self, principal: Principal) -> Mapping[str, Deployment]:
        """Every name that this caller can ask for: deployments, then routes; each with what is told of its model."""
        allowed = principal.deployments
        named = {name: found for name, found in self._deployments.items() if allowed is None or name in allowed}
        for name, route in self._routes.items():
            chain = self._open(route.chain, name, allowed)
            if chain:
                named[name] = chain[0]
        return named

    def has_responses(self, name: str) -> bool:
        """See `ports.hosts`."""
        return any(each.responses for each in self._led_to(name))

    def fetches_images(self, name: str) -> bool:
        """See `ports.hosts`."""
        return any(each.fetch_images for each in self._led_to(name))

    def _led_to(self, name: str) -> Iterator[Deployment]:
        """The deployments that this name can lead to."""
        route = self._routes.get(name)
        for each in (name,) if route is None else route.deployments:
            found = self._deployments.get(each)
            if found is not None:
                yield found

    def resolve(self, call: Call) -> tuple[Deployment, ...]:
        """The deployments for a call: the first, and those that answer when the ones before cannot.

        Raises `DeploymentNotFound`, `OperationNotSupported`.
        """
        allowed = call.principal.deployments
        route = self._routes.get(call.name)
        if route is not None:
            chain = self._open(route.choose(call), call.name, allowed)
        else:
            chain = self._chains.get(call.name, ()) if allowed is None or call.name in allowed else ()
        if not chain:
            message = (
                "The API deployment for this resource does not exist. If you created the deployment within the last "
                f"5 minutes, please wait a moment and try again.{self._lacking(call)}"
            )
            raise self._missing(call.name, message)
        wanted = call.headers.get(_SPILLOVER)
        if wanted is not None:
            chain = self._with_spillover(chain, wanted, allowed)
        if len(chain) == 1 and _can(chain[0], call):
            return chain
        able = tuple(each for each in chain if _can(each, call))
        if able:
            return able
        raise OperationNotSupported(
            f"The {call.operation.value} operation does not work with the specified model, {call.name}. Please "
            f"choose different model and try again. (Its deployment says model.type: {chain[0].facts.type}.)"
            f"{self._lacking(call)}",
            param="model",
        )

    def _missing(self, name: str, message: str) -> DeploymentNotFound:
        """For a caller who has none of that name: it is not there, or not theirs, which they are not told."""
        there = name in self._routes or name in self._deployments
        return DeploymentClosed(message, name=name) if there else DeploymentNotFound(message)

    def _lacking(self, call: Call) -> str:
        """What there is none of here at all, and how to have one."""
        if call.operation not in _PICTURES or any(_can(each, call) for each in self._deployments.values()):
            return ""
        return _NO_IMAGE_MODEL

    def _open(self, chain: Chain, name: str, allowed: AbstractSet[str] | None) -> tuple[Deployment, ...]:
        """Those of a route's deployments that a caller's key has, by their own name or by the route's."""
        return tuple(self._deployments[each] for each in chain if allowed is None or name in allowed or each in allowed)

    def _with_spillover(
        self, chain: tuple[Deployment, ...], wanted: bytes, allowed: AbstractSet[str] | None
    ) -> tuple[Deployment, ...]:
        """With the deployment that the caller named for when the first ones cannot, as on the service.

        Raises `DeploymentNotFound`.
        """
        name = wanted.decode("latin-1")
        found = self._deployments.get(name)
        if found is None or (allowed is not None and name not in allowed):
            raise self._missing(name, f"The deployment that {_SPILLOVER.decode()} names does not exist.")
        return chain if found in chain else (*chain, found)


def _can(deployment: Deployment, call: Call) -> bool:
    if call.only_responses and not deployment.responses:
        return False
    return call.operation in OPERATIONS_OF[deployment.facts.type]
