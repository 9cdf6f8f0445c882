"""The steps of `forehearth doctor`: each is done as a call would do it, and judged by `connectors.diagnosis`."""

import asyncio
import os
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

import msgspec

from forehearth.cli.calling import Wire
from forehearth.cli.connection import Credential, Wish, credential_of
from forehearth.cli.deployments import chosen, deployments
from forehearth.cli.output import CommandFailed
from forehearth.connectors import diagnosis, remedies
from forehearth.connectors.asking import Prompt, ask
from forehearth.connectors.diagnosis import Check, Step
from forehearth.connectors.places import Address
from forehearth.connectors.said import Broken, Said, error_of
from forehearth.connectors.shapes import Auth, Shape, ShapeName
from forehearth.core.clock import Clock
from forehearth.core.errors import Failed, Unreachable
from forehearth.core.upstream import Response, TlsFiles
from forehearth.providers import address as addresses
from forehearth.transport import probe
from forehearth.transport.client import HttpClient
from forehearth.transport.proxies import choose_proxy

_QUESTION: Final = "Answer with the word yes."
_PAGES: Final[Mapping[ShapeName, str]] = {
    "foundry": "/info",
    "v1": "/models",
    "responses": "/models",
    "classic": "/openai/models",
    "project": "/deployments",
}
"""What is read of a shape to see whether a credential and an api-version are taken."""
_KNOWN_NOT: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_FIRST_ERROR: Final = 400


class Patient(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked at."""

    wish: Wish
    address: Address
    shape: Shape
    auth: Auth
    ca: Path | None
    deployment: str | None
    version: str | None


class Doctor:
    """Goes from step to step, and remembers what the next ones need."""

    def __init__(self, patient: Patient, clock: Clock) -> None:
        self._patient = patient
        self._clock = clock
        self._origin = patient.address.origin_of(patient.shape)
        parts = urlsplit(self._origin)
        self._scheme, self._host, self._port, _ = addresses.split(f"{parts.scheme}://{parts.netloc}")
        self._proxy = choose_proxy(os.environ, self._scheme, self._host, self._port)
        self._date: str | None = None
        self._credential: Credential | None = None
        self._deployment = patient.deployment or ""
        self._limits: Check | None = None
        self._streaming: Check | None = None

    async def run(self) -> list[Check]:
        """Every step. Once one has failed the rest are skipped; a wrong clock alone ends nothing."""
        checks: list[Check] = []
        async with HttpClient() as client:
            self._wire = Wire(client=client, ca=self._patient.ca)
            steps: Mapping[Step, Callable[[], Awaitable[Check]]] = {
                "name": self._name,
                "connection": self._connect,
                "tls": self._tls,
                "server": self._server,
                "clock": self._time,
                "credential": self._known,
                "api-version": self._version,
                "deployment": self._call,
                "limits": self._left,
                "streaming": self._streamed,
            }
            stopped = False
            for step, look in steps.items():
                if stopped:
                    checks.append(Check(step=step, state="skipped", found="a step before it failed"))
                    continue
                check = await self._looked(step, look)
                checks.append(check)
                stopped = check.state == "failed" and step != "clock"
        return checks

    async def _looked(self, step: Step, look: Callable[[], Awaitable[Check]]) -> Check:
        try:
            return await look()
        except Failed as error:
            return diagnosis.failed(step, remedies.of_failure(error, self._origin))
        except CommandFailed as error:
            return diagnosis.failed(step, remedies.Remedy(cause=f"{error.message}.", remedy=error.remedy))

    async def _name(self) -> Check:
        if self._proxy is not None:
            return diagnosis.ok("name", f"{self._host}: the proxy looks it up")
        try:
            found = await probe.names(self._host, self._port)
        except (OSError, TimeoutError, UnicodeError) as error:
            return diagnosis.unresolved(error)
        return diagnosis.ok("name", f"{self._host}: {', '.join(dict.fromkeys(found))}")

    async def _connect(self) -> Check:
        if self._proxy is not None:
            return diagnosis.ok("connection", "through the proxy that the environment names")
        try:
            await probe.connect(self._host, self._port)
        except (OSError, TimeoutError) as error:
            return diagnosis.unconnected(error, self._port)
        return diagnosis.ok("connection", f"port {self._port}")

    async def _tls(self) -> Check:
        if self._scheme == "http":
            return diagnosis.ok("tls", "none: http")
        if self._proxy is not None:
            return diagnosis.ok("tls", "through the proxy: seen with the next step")
        files = TlsFiles(ca_bundle=str(self._patient.ca) if self._patient.ca else None)
        try:
            session = await probe.agree(self._host, self._port, files)
        except Unreachable as error:
            return diagnosis.failed("tls", remedies.of_failure(error, self._origin))
        except (ssl.SSLError, OSError, TimeoutError) as error:
            return diagnosis.untrusted(error)
        return diagnosis.trusted(session.protocol, session.expires, self._clock.unix())

    async def _server(self) -> Check:
        """Whether what answers is an API of these shapes: it knows the path, and says no in JSON."""
        status, answer, response = await self._page(None, self._patient.shape.version.sent)
        self._date = _header(response, b"date")
        if answer is None or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            why = remedies.of_status(status, *error_of(response.body), self._about())
            if answer is not None:
                return diagnosis.failed("server", why, f"it answered {status}")
            cause = "What answers there is no API of Foundry or Azure OpenAI."
            remedy = "Correct the address; a proxy or a login page may answer in its place."
            return diagnosis.failed("server", remedies.Remedy(cause=cause, remedy=remedy), f"it answered {status}")
        return diagnosis.ok("server", f"it answers; request {_header(response, b'x-request-id') or 'without an id'}")

    async def _time(self) -> Check:
        return diagnosis.clock(self._date, self._clock.unix())

    async def _known(self) -> Check:
        patient = self._patient
        # In a thread: it may ask the development issuer, or the library of Azure, in a loop of its own.
        credential = await asyncio.to_thread(credential_of, patient.wish, patient.address, patient.shape, patient.auth)
        self._credential = credential
        old = diagnosis.expired(credential.secret.reveal(), self._clock.unix()) if credential.auth == "token" else ""
        status, _, response = await self._page(credential, patient.shape.version.sent)
        if status in _KNOWN_NOT:
            code, message = error_of(response.body)
            return diagnosis.failed(
                "credential", remedies.of_status(status, code, message, self._about()), old or f"{status} {message}"
            )
        return diagnosis.ok("credential", f"the {credential.auth} is accepted")

    async def _version(self) -> Check:
        version = self._patient.version or self._patient.shape.version.sent
        if version is None:
            return diagnosis.ok("api-version", "left out, as this shape has it")
        status, _, response = await self._page(self._credential, version)
        if status in (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND):
            code, message = error_of(response.body)
            found = remedies.of_status(status, code, message, self._about())
            return diagnosis.failed("api-version", found, f"{status} {message}")
        return diagnosis.ok("api-version", version)

    async def _call(self) -> Check:
        """The deployment, by one short call; what is seen of limits and streaming is told by the next steps."""
        credential = self._credential
        if credential is None:
            raise AssertionError("a call is made after its credential is known")
        if not self._deployment:
            self._deployment = chosen(await deployments(self._wire, self._patient.address, credential))
        if not self._deployment:
            cause, remedy = "There is no deployment that answers prompts.", "Make one, or name one with --deployment."
            return diagnosis.failed("deployment", remedies.Remedy(cause=cause, remedy=remedy))
        patient = self._patient
        prompt = Prompt(text=_QUESTION, deployment=self._deployment, version=patient.version)
        async with self._wire.asked(ask(patient.shape, patient.address, prompt), credential) as response:
            if response.status >= _FIRST_ERROR:
                return self._refused(response)
            self._limits = diagnosis.limits(response.headers)
            self._streaming = await _read(response)
        served = _header(response, b"x-ms-deployment-name")
        return diagnosis.ok("deployment", f"{self._deployment}" + (f", served by {served}" if served else ""))

    def _refused(self, response: Response) -> Check:
        code, message = error_of(response.body)
        found = remedies.of_status(response.status, code, message, self._about())
        if response.status == HTTPStatus.TOO_MANY_REQUESTS or code == "QuotaExceeded":
            self._limits = diagnosis.exhausted(found, f"{response.status} {message}", response.headers)
            return diagnosis.ok("deployment", self._deployment)
        return diagnosis.failed("deployment", found, f"{response.status} {message}")

    async def _left(self) -> Check:
        return self._limits or diagnosis.ok("limits", "none is told")

    async def _streamed(self) -> Check:
        return self._streaming or Check(step="streaming", state="skipped", found="nothing was streamed")

    async def _page(self, credential: Credential | None, version: str | None) -> tuple[int, object, Response]:
        shape = self._patient.shape
        query = f"?api-version={quote(version, safe='')}" if version else ""
        url = self._patient.address.base(shape).rstrip("/") + _PAGES[shape.name] + query
        return await self._wire.read(shape, url, credential)

    def _about(self) -> remedies.Circumstances:
        patient = self._patient
        return remedies.Circumstances(
            shape=patient.shape, address=patient.address, auth=patient.auth, deployment=self._deployment
        )


async def _read(response: Response) -> Check:
    """Whether the answer streams, and comes to its end."""
    if response.stream is None:
        cause, remedy = (
            "The answer came in one piece, though a stream was asked for.",
            "Something on the way collects it: switch off buffering of text/event-stream there.",
        )
        return diagnosis.failed("streaming", remedies.Remedy(cause=cause, remedy=remedy))
    events, began, first = Said(), time.monotonic(), 0.0
    try:
        async for piece in response.stream:
            first = first or time.monotonic() - began
            events.feed(piece)
        events.finish()
    except (Broken, Failed) as error:
        cause = f"The stream breaks off: {error}."
        remedy = "Look at the idle timeouts of what is on the way, and at the model's host."
        return diagnosis.failed("streaming", remedies.Remedy(cause=cause, remedy=remedy))
    return diagnosis.ok(
        "streaming", f"{events.events} events in {time.monotonic() - began:.2f} s, the first after {first:.2f} s"
    )


def _header(response: Response, name: bytes) -> str | None:
    found = response.headers.get(name)
    return None if found is None else found.decode("latin-1")
