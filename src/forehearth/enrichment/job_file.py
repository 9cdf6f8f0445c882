"""Reads a job file: all of it or nothing, with every problem at its place, prompt and schema included."""

import functools
import ipaddress
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from forehearth.config.binding import Binder
from forehearth.config.loader import load_as
from forehearth.core.enrichment_settings import Job
from forehearth.core.settings import OutboundSettings, ProviderSettings
from forehearth.enrichment.answer_schema import AnswerSchema, BadSchema
from forehearth.enrichment.template import BadTemplate, Template
from forehearth.providers.address import split
from forehearth.transport.proxies import choose_proxy


class JobFile(msgspec.Struct, frozen=True, kw_only=True):
    """A job, what it is called, and where its paths begin."""

    job: Job
    name: str
    folder: Path


def read(path: Path, *, providers: Mapping[str, type[ProviderSettings]], environ: Mapping[str, str]) -> JobFile:
    """The job in a file. Raises `ConfigError` with all that is wrong."""
    job = load_as(path, Job, providers=providers, environ=environ, check=_checking(environ))
    return JobFile(job=job, name=job.name or path.stem, folder=path.absolute().parent)


def read_text(
    text: str, folder: Path, *, providers: Mapping[str, type[ProviderSettings]], environ: Mapping[str, str]
) -> JobFile:
    """The same of a text, which has to say what the job is called; relative paths begin at `folder`."""
    job = load_as(text, Job, providers=providers, environ=environ, check=_checking(environ), folder=folder)
    return JobFile(job=job, name=job.name or "job", folder=folder)


def _checking(environ: Mapping[str, str]) -> Callable[[Binder, Job], None]:
    return functools.partial(_check, environ)


def _check(environ: Mapping[str, str], binder: Binder, job: Job) -> None:
    try:
        _check_private(environ, binder, job, Template(job.prompt))
    except BadTemplate as error:
        binder.tell(binder.values["prompt",].mark, ("prompt",), str(error), error.hint)
    try:
        schema = AnswerSchema(job.schema) if job.schema is not None else None
    except BadSchema as error:
        where = ("schema", *error.path)
        while where not in binder.values:
            where = where[:-1]
        binder.tell(binder.values[where].mark, ("schema", *error.path), error.message, error.hint)
        return
    reserved = [name for name in (schema.columns if schema is not None else (job.output,)) if name.startswith("_")]
    for name in reserved:
        where = ("output",) if schema is None else ("schema", "properties", name)
        message = f"the column '{name}' begins with '_', which is for what is told of answers"
        binder.tell(binder.values[where].mark, where, message, "give it another name")


def _check_private(environ: Mapping[str, str], binder: Binder, job: Job, template: Template) -> None:
    """What may not leave this machine goes to no host that is not on it, or of which nobody can tell."""
    named = [name for name in job.private if name in template.columns]
    if not named:
        return
    backend = job.deployment.backend
    hint = "take it out of the prompt, or name a deployment.backend on this machine"
    if backend is None:
        whose = "the server's deployment may send it on"
    elif not is_here(backend):
        whose = "its host is elsewhere"
    elif is_proxied(backend, environ):
        whose = "its host is asked through a proxy, which may be elsewhere"
        hint = "write connection: {proxy: none} for the backend, or have NO_PROXY name its host"
    else:
        return
    binder.tell(binder.values["prompt",].mark, ("prompt",), f"the column '{named[0]}' is private, and {whose}", hint)


def is_proxied(backend: ProviderSettings, environ: Mapping[str, str]) -> bool:
    """Whether a host is asked through a proxy, by its settings or by the environment."""
    address, connection = getattr(backend, "address", None), getattr(backend, "connection", None)
    if address is None:
        return False
    named = connection.proxy if isinstance(connection, OutboundSettings) else None
    if named is not None:
        return bool(named != "none")
    scheme, host, port, _ = split(address)
    return choose_proxy(environ, scheme, host, port) is not None


def is_here(backend: ProviderSettings | None) -> bool:
    """Whether a host is on this machine, by its address; a script is no host at all."""
    address = getattr(backend, "address", None)
    if backend is None or address is None:
        return backend is not None
    host = (urlsplit(address).hostname or "").rstrip(".").lower()
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
