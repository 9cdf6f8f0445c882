"""TLS towards model hosts: always verified, by the system's certificates or by a bundle of the operator's."""

import logging
import ssl

from forehearth.core.errors import Unreachable
from forehearth.core.upstream import TlsFiles

_log = logging.getLogger("forehearth.transport")


class Contexts:
    """One context for each set of files, made when it is first needed and kept."""

    def __init__(self) -> None:
        self._made: dict[TlsFiles, ssl.SSLContext] = {}

    def of(self, files: TlsFiles) -> ssl.SSLContext:
        """The context for `files`. Raises `Unreachable` when they cannot be read or do not belong together."""
        context = self._made.get(files)
        if context is None:
            try:
                context = self._made[files] = _make(files)
            except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
                _log.error("cannot use TLS files %s: %s", _named(files), error)
                raise Unreachable("No connection to the backend: the TLS files set for it cannot be used.") from error
        return context


def _make(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=files.ca_bundle)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if files.certificate is not None:
        # An empty password, so that an encrypted key is an error and not a question on the terminal.
        context.load_cert_chain(files.certificate, files.key, password="")
    return context


def _named(files: TlsFiles) -> str:
    return ", ".join(name for name in (files.ca_bundle, files.certificate, files.key) if name) or "of the system"
