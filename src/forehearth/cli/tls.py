"""`forehearth tls`: make the programs of one shell trust the development certificate. No system store is touched."""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

import click

from forehearth.server.certificates import authority, bundle_path, write_bundle
from forehearth.server.data_directory import DataDirectory, default_path, open_data_directory

_PREFERRED = ("CURL_CA_BUNDLE",)
"""Where one of these is set, its program prefers it to the general ones, so it has to name the bundle, too."""


@click.group(no_args_is_help=True)
def tls() -> None:
    """Make this shell's programs trust the development certificate."""


@tls.command()
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="The server's data directory.  [default: the server's own default]",
)
def trust(data_dir: Path | None) -> None:
    r"""Print the variables that make programs trust the server's development certificate.

    SSL_CERT_FILE and REQUESTS_CA_BUNDLE get a bundle of the certificates that you trust now and ours; so does
    CURL_CA_BUNDLE where it is set. NODE_EXTRA_CA_CERTS gets ours, which Node adds to its own. Nothing else on this
    machine changes: it holds for the shell that reads it, until that shell ends. The CA can vouch for localhost,
    127.0.0.1, ::1 and the names in server.tls.names, for nothing else.

    \b
    Examples:
      eval "$(forehearth tls trust)"
      curl https://localhost:8443/health/live
    """
    data = open_data_directory(data_dir or default_path(os.environ))
    own = authority(data)
    sources = write_bundle(data, os.environ)
    say_exports(trusting(data, own, os.environ))
    if not sources:
        click.echo(f"No certificates of this system were found: the bundle has {own} alone.", err=True)
    explain(own, os.environ, "forehearth tls trust")


def trusting(data: DataDirectory, own: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that make programs trust our certificate, `own`, and whatever they trusted before."""
    names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", *(each for each in _PREFERRED if environ.get(each)))
    return {**dict.fromkeys(names, str(bundle_path(data))), "NODE_EXTRA_CA_CERTS": str(own)}


def say_exports(variables: Mapping[str, str]) -> None:
    """Print variables, for a shell that reads them."""
    for name, value in variables.items():
        click.echo(f"export {name}={shlex.quote(value)}")


def explain(own: Path, environ: Mapping[str, str], command: str) -> None:
    """Say on stderr, where `eval` does not look, what is replaced, and how a shell reads what a command prints."""
    before = environ.get("NODE_EXTRA_CA_CERTS")
    if before and Path(before).absolute() != own:
        click.echo(f"NODE_EXTRA_CA_CERTS was {before}: Node trusts {own} instead of it in this shell.", err=True)
    if os.isatty(1):
        click.echo(f'To have the shell read these lines: eval "$({command})"', err=True)
