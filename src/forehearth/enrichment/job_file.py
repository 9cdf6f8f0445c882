"""Reads a job file: all of it or nothing, with every problem at its place, prompt and schema included."""

import functools
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from forehearth.config.binding import Binder
from forehearth.config.loader import load_as
from forehearth.config.problems import Path as KeyPath
from forehearth.core.enrichment_settings import Job
from forehearth.core.function_settings import EmbedFunction
from forehearth.core.loopback import is_loopback
from forehearth.core.settings import OutboundSettings, ProviderSettings
from forehearth.enrichment import questions
from forehearth.enrichment.answer_schema import AnswerSchema, BadSchema
from forehearth.enrichment.spec import ANSWER, template_of
from forehearth.enrichment.template import BadTemplate
from forehearth.providers.address import split
from forehearth.transport.proxies import choose_proxy

_OF_ANSWERS: Final = ("max_output_tokens", "temperature", "seed", "reasoning_effort")


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
    asked = ("prompt",) if job.function is None else ("function", "column")
    try:
        _check_private(environ, binder, job, asked)
    except BadTemplate as error:
        binder.tell(binder.values[asked].mark, asked, str(error), error.hint)
    try:
        found = _answers(job)
    except BadSchema as error:
        _tell(binder, job, error)
        return
    for name in (each for each in found if each.startswith("_")):
        where = _named(binder, name)
        message = f"the column '{name}' begins with '_', which is for what is told of answers"
        binder.tell(binder.values[where].mark, where, message, "give it another name")
    if isinstance(job.function, EmbedFunction):
        _check_options(binder)


def _answers(job: Job) -> Iterable[str]:
    """The columns that an answer fills. Raises `BadSchema`."""
    if job.function is not None:
        cells = questions.of_function(job.function).cells
        return cells.columns if job.output is None else (job.output,)
    return (job.output or ANSWER,) if job.schema is None else AnswerSchema(job.schema).columns


def _tell(binder: Binder, job: Job, error: BadSchema) -> None:
    """Tell what is wrong with a schema, as near to it as what stands in the file goes; of a label's, at the labels."""
    path: KeyPath = ("schema", *error.path) if job.function is None else ("function", "labels")
    where = path
    while where not in binder.values:
        where = where[:-1]
    message = error.message if job.function is None else f"{'.'.join(map(str, error.path[1:]))}: {error.message}"
    binder.tell(binder.values[where].mark, path, message, error.hint)


def _named(binder: Binder, column: str) -> KeyPath:
    """Where a column of answers gets its name."""
    places: tuple[KeyPath, ...] = (("schema", "properties", column), ("output",), ("function", "labels"))
    return next(each for each in places if each in binder.values)


def _check_options(binder: Binder) -> None:
    """Vectors have none of what answers of a model are asked for with."""
    for name in _OF_ANSWERS:
        where = ("deployment", name)
        if where in binder.keys:
            binder.tell(binder.keys[where], where, f"embed makes vectors, which have no {name}", "remove it")


def _check_private(environ: Mapping[str, str], binder: Binder, job: Job, asked: KeyPath) -> None:
    """What may not leave this machine goes to no host that is not on it, or of which nobody can tell."""
    columns = template_of(job).columns
    named = [name for name in job.private if name in columns]
    if not named:
        return
    backend = job.deployment.backend
    out = "take it out of the prompt" if job.function is None else "name another column"
    hint = f"{out}, or name a deployment.backend on this machine"
    if backend is None:
        whose = "the server's deployment may send it on"
    elif not is_here(backend):
        whose = "its host is elsewhere"
    elif is_proxied(backend, environ):
        whose = "its host is asked through a proxy, which may be elsewhere"
        hint = "write connection: {proxy: none} for the backend, or have NO_PROXY name its host"
    else:
        return
    binder.tell(binder.values[asked].mark, asked, f"the column '{named[0]}' is private, and {whose}", hint)


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
    return is_loopback(host)
