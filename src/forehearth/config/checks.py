"""What has to fit together across the file: names that refer to names, ports, and certificates with their keys."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from forehearth.config import files, nodes, scalars
from forehearth.config.belonging import PROVIDER
from forehearth.config.binding import Binder
from forehearth.config.identity_checks import check_identity
from forehearth.config.nearest import suggestion
from forehearth.config.problems import Path as KeyPath
from forehearth.core.settings import ProviderSettings, ServerSettings

_GGUF = ".gguf"
_EMBEDDINGS = ("deployments", "cache", "semantic", "embeddings")
_MODEL = ("backends", "*", "model")
_DEPLOYMENTS = (
    ("routes", "deployment"),
    ("routes", "deployments", "*"),
    ("routes", "rules", "*", "deployment"),
    ("routes", "rules", "*", "deployments", "*"),
    ("products", "deployments", "*"),
    _EMBEDDINGS,
)
"""Where deployments are named: the section, and the way below a name in it. A mistyped one would go unnoticed."""
_PORTS = (
    ("tls_port", "port", "http and https"),
    ("admin_port", "port", "http and /admin"),
    ("admin_port", "tls_port", "https and /admin"),
)


def across(binder: Binder, providers: Mapping[str, type[ProviderSettings]], folder: Path) -> dict[KeyPath, str]:
    """Check what `binder` has read, right or wrong in itself, and note problems there.

    The answer is where models are named by a file, and that file's full path.
    """
    _references(binder)
    _embeddings(binder)
    _shared_names(binder)
    _ports(binder)
    _certificate(binder, folder)
    _client_keys(binder)
    check_identity(binder)
    return _model_files(binder, providers, folder)


def _tenants(binder: Binder) -> list[KeyPath]:
    """Where deployments and routes stand: at the top, and in each resource."""
    return [(), *(path for path in binder.keys if len(path) == len(("resources", "name")) and path[0] == "resources")]


def _names(binder: Binder, *section: str | int) -> list[str]:
    return [str(path[-1]) for path in binder.keys if path[:-1] == section]


def _texts(binder: Binder, tenant: KeyPath, section: str, *below: str) -> Iterator[tuple[KeyPath, nodes.Scalar]]:
    """Every single value at `section.NAME.below` of a tenant, where `*` in `below` is any item of a list."""
    start = (*tenant, section)
    for path, node in binder.values.items():
        fits = (
            len(path) == len(start) + 1 + len(below)
            and path[: len(start)] == start
            and all(want in ("*", step) for want, step in zip(below, path[len(start) + 1 :], strict=True))
        )
        if fits and isinstance(node, nodes.Scalar) and scalars.kind(node) == "text" and node.text:
            yield path, node


def _references(binder: Binder) -> None:
    backends = _names(binder, "backends")
    for tenant in _tenants(binder):
        _there("backend", backends, binder, _texts(binder, tenant, "deployments", "backends", "*", "backend"))
        deployments = _names(binder, *tenant, "deployments")
        for section, *below in _DEPLOYMENTS:
            _there("deployment", deployments, binder, _texts(binder, tenant, section, *below))


def _there(what: str, names: list[str], binder: Binder, found: Iterator[tuple[KeyPath, nodes.Scalar]]) -> None:
    """What is named has to be among these names."""
    for path, node in list(found):
        if node.text not in names:
            hint = suggestion(node.text, names, "there are") or f"there are none: add it under '{what}s'"
            binder.tell(node.mark, path, f"there is no {what}{scalars.called(node)}", hint)


def _embeddings(binder: Binder) -> None:
    """The vectors of a semantic cache come from a deployment that makes some."""
    for tenant in _tenants(binder):
        deployments = _names(binder, *tenant, "deployments")
        section, *below = _EMBEDDINGS
        for path, node in list(_texts(binder, tenant, section, *below)):
            kind = binder.values.get((*tenant, "deployments", node.text, "model", "type"))
            if node.text in deployments and not (isinstance(kind, nodes.Scalar) and kind.text == "embeddings"):
                hint = "name one whose model.type is embeddings"
                binder.tell(node.mark, path, f"the deployment{scalars.called(node)} makes no vectors", hint)


def _shared_names(binder: Binder) -> None:
    for tenant in _tenants(binder):
        for name in _names(binder, *tenant, "routes"):
            other = binder.keys.get((*tenant, "deployments", name))
            if other is not None:
                path = (*tenant, "routes", name)
                binder.tell(
                    binder.keys[path],
                    path,
                    f"a deployment has this name too, in line {other.line}",
                    "clients use both as a model's name: give the route another one",
                )


def _ports(binder: Binder) -> None:
    given = {key: binder.values.get(("server", key)) for key in ("admin_port", "tls_port", "port")}
    texts = {
        key: node.text if isinstance(node, nodes.Scalar) else str(getattr(ServerSettings(), key))
        for key, node in given.items()
    }
    for one, other, who in _PORTS:
        here = next((key for key in (one, other) if given[key] is not None), None)
        if here is not None and texts[one] == texts[other] and texts[one].isdigit() and texts[one] != "0":
            path = ("server", here)
            message = f"{who} cannot share the port {texts[one]}"
            binder.tell(binder.values[path].mark, path, message, f"give `{other}` and `{one}` different numbers")


def _certificate(binder: Binder, folder: Path) -> None:
    given = {
        key: node
        for key in ("certificate", "key")
        if isinstance(node := binder.values.get(("server", "tls", key)), nodes.Scalar) and not scalars.is_null(node)
    }
    if len(given) > 1:
        certificate, key = given["certificate"], given["key"]
        with contextlib.suppress(OSError, ValueError):  # a file that cannot be read is told already
            try:
                files.certificate(str(folder / certificate.text), str(folder / key.text))
            except files.Unusable as unusable:
                binder.tell(certificate.mark, ("server", "tls", "certificate"), unusable.message, unusable.hint)
    if len(given) == 1:
        here, node = given.popitem()
        other = "key" if here == "certificate" else "certificate"
        what = "its private key" if other == "key" else "the certificate that it belongs to"
        binder.tell(
            node.mark,
            ("server", "tls", here),
            f"there is a {here} but no {other}",
            f"add '{other}: PATH', the PEM file with {what}",
        )


def _client_keys(binder: Binder) -> None:
    """A private key belongs to a certificate; a certificate may have its key in the same file."""
    for path, node in list(binder.values.items()):
        if path[-2:] != ("connection", "client_key") or scalars.is_null(node):
            continue
        certificate = binder.values.get((*path[:-1], "client_certificate"))
        if certificate is None or scalars.is_null(certificate):
            binder.tell(
                node.mark,
                path,
                "there is a client_key but no client_certificate",
                "add 'client_certificate: PATH', the PEM file with the certificate that it belongs to",
            )


def _model_files(binder: Binder, providers: Mapping[str, type[ProviderSettings]], folder: Path) -> dict[KeyPath, str]:
    resolved: dict[KeyPath, str] = {}
    models = [each for tenant in _tenants(binder) for each in _texts(binder, tenant, "deployments", *_MODEL)]
    for path, node in models:
        if not (node.text.lower().endswith(_GGUF) or "/" in node.text):
            continue
        backend = binder.values.get((*path[:-1], "backend"))
        chosen = binder.values.get(("backends", backend.text, PROVIDER)) if isinstance(backend, nodes.Scalar) else None
        provider = providers.get(chosen.text) if isinstance(chosen, nodes.Scalar) else None
        if provider is not None and provider.model_files:
            try:
                resolved[path] = files.existing(node.text, folder)
            except files.Unusable as error:
                binder.tell(node.mark, path, error.message, error.hint)
    return resolved
