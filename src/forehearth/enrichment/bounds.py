"""What a job that came in over REST may have: tables within the bounds of the configuration, and no secret at all.

Who sends a job is not who runs the server. So a job names tables, a deployment and databases by the names they have
here, and what else it would have the server read, write or ask is refused before anything is opened.
"""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from forehearth.config.nearest import suggestion
from forehearth.config.problems import Problem
from forehearth.core.enrichment_bounds_settings import EnrichmentSettings, has_dots
from forehearth.core.enrichment_settings import (
    CsvSource,
    DeltaSink,
    DeltaSource,
    Job,
    JsonlSource,
    ParquetSink,
    ParquetSource,
    PostgresSource,
)
from forehearth.enrichment.places import is_url

_PATTERN: Final = re.compile(r"[*?\[]")
_PLAIN: Final = re.compile(r"[^?#%\\\s\x00-\x1f]+")
_STORAGE: Final = "enrichment.storages of the server's configuration says how it is asked"
_WORDS: Final = {
    ("deployment", "backend"): (
        "jobs over REST ask the deployments of this server",
        "name one of them, and leave out backend",
    ),
    ("lineage",): ("jobs over REST tell no events of lineage yet", "leave it out"),
    ("source", "storage_options"): ("jobs over REST say nothing of how a storage is asked", _STORAGE),
    ("source", "storage_secrets"): ("jobs over REST have no secrets", _STORAGE),
    ("sink", "storage_options"): ("jobs over REST say nothing of how a storage is asked", _STORAGE),
    ("sink", "storage_secrets"): ("jobs over REST have no secrets", _STORAGE),
}
"""What a job over REST may not have."""


class OutOfBounds(Exception):
    """A place that is not open to jobs."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def cleared(job: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """The job without what it may not have, and what that was. Nothing is read for it."""
    kept = dict(job)
    problems = []
    for path, (message, hint) in _WORDS.items():
        holder: Any = kept
        for step in path[:-1]:
            holder = holder.get(step) if isinstance(holder, dict) else None
        if isinstance(holder, dict) and path[-1] in holder:
            problems.append(problem(".".join(path), message, hint))
            rest = {name: value for name, value in holder.items() if name != path[-1]}
            kept = rest if len(path) == 1 else kept | {path[0]: rest}
    source = kept.get("source")
    url = source.get("url") if isinstance(source, dict) else None
    if isinstance(source, dict) and isinstance(url, str) and url.startswith("file:"):
        hint = "write ${NAME}, a name under enrichment.databases of the server's configuration"
        problems.append(problem("source.url", "jobs over REST name no files with secrets", hint))
        kept["source"] = {name: value for name, value in source.items() if name != "url"} | {"url": "${_}"}
    if "name" not in kept:
        problems.append(problem("name", "a job over REST needs a name", "add it: by it the job is found again"))
    return kept, problems


def environ(bounds: EnrichmentSettings) -> dict[str, str]:
    """What `${NAME}` stands for in a job: the databases, and nothing of the server's own environment."""
    return {name: address.reveal() for name, address in bounds.databases.items()} | {"_": "-"}


def reworded(found: Problem) -> Problem:
    """A problem of a job file, as one of a job over REST: the remedy is the operator's."""
    if found.path == "prompt" and " is private" in found.message:
        hint = "take it out of the prompt: jobs over REST ask deployments, and where those send it is not known"
        return msgspec.structs.replace(found, hint=hint)
    if not found.message.startswith("the environment variable "):
        return found
    name = found.message.split()[3]
    hint = f"have it added to enrichment.databases of the server's configuration: {name}"
    return msgspec.structs.replace(found, message=f"there is no database {name} for jobs", hint=hint)


def within(job: Job, bounds: EnrichmentSettings, deployments: Sequence[str]) -> tuple[Job, list[Problem]]:
    """The job with its places as they are here, and what of it is out of bounds."""
    problems = []
    source: Any = job.source
    sink: Any = job.sink
    try:
        source = _source(job, bounds)
    except OutOfBounds as error:
        problems.append(problem("source.path", error.message, error.hint))
    try:
        sink = _sink(job, bounds)
    except OutOfBounds as error:
        problems.append(problem("sink.path", error.message, error.hint))
    name = job.deployment.name
    if name not in deployments:
        hint = suggestion(name, sorted(deployments), "there are") or "there are none"
        problems.append(problem("deployment.name", f"there is no deployment '{name[:100]}'", hint))
    return msgspec.structs.replace(job, source=source, sink=sink), problems


def first_folder(bounds: EnrichmentSettings) -> Path:
    """Where relative paths of jobs begin."""
    return Path(bounds.directories[0] if bounds.directories else os.devnull)


def require_inside(path: Path, bounds: EnrichmentSettings) -> None:
    """Pass a file that really is in one of the folders, whatever links lead to it. Raises `OutOfBounds`."""
    real = Path(os.path.realpath(path))
    if not any(real.is_relative_to(os.path.realpath(each)) for each in bounds.directories):
        raise OutOfBounds("a file that it names is not in a folder that is open to jobs", _folders(bounds))


def problem(path: str, message: str, hint: str) -> Problem:
    """Something wrong with a job, which has no lines."""
    return Problem(file="", line=0, column=0, path=path, message=message, hint=hint)


def _source(job: Job, bounds: EnrichmentSettings) -> object:
    source = job.source
    match source:
        case PostgresSource():
            return source
        case DeltaSource() if is_url(source.path):
            options, secrets = _storage(source.path, bounds)
            return msgspec.structs.replace(source, storage_options=options, storage_secrets=secrets)
        case DeltaSource():
            return msgspec.structs.replace(source, path=_folder(source.path, bounds))
        case CsvSource() | JsonlSource() | ParquetSource() if not is_url(source.path):
            return msgspec.structs.replace(source, path=_files(source.path, bounds))
        case _:
            raise OutOfBounds("jobs over REST do not read from there", "files are read from folders of the server")


def _sink(job: Job, bounds: EnrichmentSettings) -> object:
    sink = job.sink
    match sink:
        case DeltaSink() if is_url(sink.path):
            options, secrets = _storage(sink.path, bounds)
            return msgspec.structs.replace(sink, storage_options=options, storage_secrets=secrets)
        case DeltaSink() | ParquetSink() if not is_url(sink.path):
            return msgspec.structs.replace(sink, path=_folder(sink.path, bounds))
        case _:
            raise OutOfBounds("jobs over REST do not write there", "Parquet files are written to folders of the server")


def _storage(url: str, bounds: EnrichmentSettings) -> tuple[Any, Any]:
    """How the storage is asked that has this table."""
    if _PLAIN.fullmatch(url) and not has_dots(url.partition("://")[2]):
        for each in bounds.storages:
            begins = each.url.rstrip("/") + "/"
            if url.startswith(begins) and url[len(begins) :].strip("/"):
                return each.options, each.secrets
    there = ", ".join(each.url for each in bounds.storages)
    hint = f"name a table below {there}" if there else "have it added to enrichment.storages of the configuration"
    raise OutOfBounds("this storage is not open to jobs", hint)


def _folder(path: str, bounds: EnrichmentSettings) -> str:
    """The real path of a table: below one of the folders, so that the quarantine beside it is, too."""
    real = _real(path, bounds)
    if any(real != os.path.realpath(each) and _is_in(real, each) for each in bounds.directories):
        return real
    raise OutOfBounds("this folder is not open to jobs", _folders(bounds))


def _files(path: str, bounds: EnrichmentSettings) -> str:
    """The same of files: what stands before a pattern is a path."""
    steps = path.split("/")
    at = next((at for at, step in enumerate(steps) if _PATTERN.search(step)), len(steps))
    real = _real("/".join(steps[:at]) or ("/" if path.startswith("/") else "."), bounds)
    if any(_is_in(real, each) for each in bounds.directories):
        return "/".join([real, *steps[at:]])
    raise OutOfBounds("this folder is not open to jobs", _folders(bounds))


def _real(path: str, bounds: EnrichmentSettings) -> str:
    if has_dots(path) and path != ".":
        raise OutOfBounds("a path of a job over REST has no '.' or '..' in it", "write the path that is meant")
    if "\0" in path:
        raise OutOfBounds("no path has U+0000 in it", "write the path that is meant")
    return os.path.realpath(first_folder(bounds) / path)


def _is_in(real: str, folder: str) -> bool:
    return Path(real).is_relative_to(os.path.realpath(folder))


def _folders(bounds: EnrichmentSettings) -> str:
    there = ", ".join(bounds.directories)
    return f"use one below {there}" if there else "have one added to enrichment.directories of the configuration"
