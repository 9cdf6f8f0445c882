"""Asks a deployment's backends, one after the other, until one answers.

The next one is asked only where the call was certainly not carried out, or where the host said that it is busy or
ill; never after the first byte of an answer.
"""

from collections.abc import Mapping
from http import HTTPStatus

from forehearth.core.call import Call
from forehearth.core.errors import BackendRefused, Broken, Failed, Overloaded
from forehearth.core.exchange import Header, Reply
from forehearth.core.upstream import Response
from forehearth.dialects import openai_errors
from forehearth.ports.meter import Meter
from forehearth.routing.directory import Backend, Deployment

_PASSED = frozenset(
    {
        b"azureml-model-group",
        b"azureml-model-session",
        b"content-type",
        b"openai-model",
        b"openai-processing-ms",
        b"x-ms-rai-invoked",
        b"x-ms-region",
        b"x-ratelimit-limit-requests",
        b"x-ratelimit-limit-tokens",
        b"x-ratelimit-remaining-requests",
        b"x-ratelimit-remaining-tokens",
        b"x-ratelimit-reset-requests",
        b"x-ratelimit-reset-tokens",
    }
)
"""Headers of a backend's answer that clients read; all others stay between the backend and us."""
_RESTART_SECONDS = 1.0


class Attempts:
    """The innermost of a deployment's onion: a call in, a backend's reply out."""

    def __init__(self, deployment: Deployment, meter: Meter) -> None:
        self._deployment = deployment
        self._meter = meter

    async def __call__(self, call: Call) -> Reply:
        """Answer `call`. Raises the last backend's `Failed` when none answers."""
        failed: Failed | None = None
        for backend in self._deployment.backends:
            try:
                response = await _ask(backend, call)
            except Failed as error:
                self._meter.attempt(backend.name, error.code)
                if not _may_go_elsewhere(error):
                    raise
                failed = error
            else:
                self._meter.attempt(backend.name, "ok")
                return Reply(
                    status=response.status,
                    headers=_passed(response.headers),
                    body=response.body,
                    stream=response.stream,
                )
        raise failed or Failed("This deployment has no backend.")


async def _ask(backend: Backend, call: Call) -> Response:
    request = backend.provider.request(call, backend.model)
    try:
        response = await backend.sender.send(request)
    except Broken as error:
        if backend.restarts:
            raise Overloaded(
                "The model's host stopped and is being started again.",
                backend=backend.name,
                retry_after=_RESTART_SECONDS,
            ) from error
        raise
    if response.status != HTTPStatus.OK:
        if response.stream is not None:
            await response.stream.aclose()
        raise openai_errors.read(response.status, response.headers, response.body, backend=backend.name)
    if call.stream is not (response.stream is not None):
        if response.stream is not None:
            await response.stream.aclose()
        raise Broken("The model's host answered in another form than it was asked for.", backend=backend.name)
    return response


def _may_go_elsewhere(error: Failed) -> bool:
    return error.may_go_elsewhere if isinstance(error, BackendRefused) else error.retry_elsewhere


def _passed(headers: Mapping[bytes, bytes]) -> list[Header]:
    return [(name, headers[name]) for name in headers if name in _PASSED]
