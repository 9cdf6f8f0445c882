"""`forehearth login`: let the programs of one shell get tokens of the development issuer, as if they were in Azure."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from forehearth.cli.tls import explain, say_exports, trusting
from forehearth.cli.token import DATA_DIR, URL, USER, Issuer, issuer_of
from forehearth.identity.development.addresses import APP_SERVICE, DEFAULT_SCOPE, DEVICE
from forehearth.server.certificates import authority, write_bundle

HERE = ("localhost", "127.0.0.1", "::1")
"""What no proxy must be asked for: it would get the secret that says who asks."""
_PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


@click.command()
@USER
@DATA_DIR
@URL
@click.option("--approve", metavar="CODE", help="Sign in where a program shows this code; prints no variables.")
def login(*, user: str, data_dir: Path | None, url: str | None, approve: str | None) -> None:
    r"""Print the variables by which Azure's clients get tokens of the development issuer.

    DefaultAzureCredential and ManagedIdentityCredential then act for USER, who is 'developer' unless you say
    otherwise: Foundry User on the default resource and in all of its projects. They ask the server, which has to run
    with --dev-issuer, and nobody else. The variables of 'forehearth tls trust' are among these. Nothing else on this
    machine changes: it holds for the shell that reads it, until that shell ends.

    \b
    Examples:
      eval "$(forehearth login)"
      eval "$(forehearth login --user maria)"
      forehearth login --approve BCDF-GHJK
    """
    issuer = issuer_of(data_dir, url)
    if approve:
        signed_in = issuer.ask("POST", DEVICE, user, {"user_code": approve})
        click.echo(f"{signed_in.get('user')} is signed in.", err=True)
        return
    issuer.token(user, DEFAULT_SCOPE)  # so that what is printed is known to work
    own = authority(issuer.data)
    write_bundle(issuer.data, os.environ)
    trust = trusting(issuer.data, own, os.environ)
    say_exports({**trust, **_identity(issuer, user), **dict(_direct(os.environ))})
    if issuer.secure_origin is None:
        click.echo("The server speaks no https: Azure's clients send no tokens over http.", err=True)
    if os.environ.get("AZURE_CLIENT_ID"):
        click.echo("AZURE_CLIENT_ID is set: DefaultAzureCredential asks for that identity instead.", err=True)
    explain(own, os.environ, "forehearth login")


def _identity(issuer: Issuer, user: str) -> Mapping[str, str]:
    """Where tokens come from, and for whom. One kind of credential is named, so that no other is tried before it."""
    secure = issuer.secure_origin
    found = {
        "FOREHEARTH_URL": secure or issuer.origin,
        "IDENTITY_ENDPOINT": issuer.origin + APP_SERVICE,
        "IDENTITY_HEADER": issuer.header(user).reveal(),
        "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
    }
    if secure is not None:
        found["AZURE_AUTHORITY_HOST"] = secure  # clients take no other than https
    return found


def _direct(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Where proxies are set, the variables that keep what is for this machine on it."""
    if not any(environ.get(name) or environ.get(name.lower()) for name in _PROXY_VARIABLES):
        return
    for name in ("NO_PROXY", "no_proxy"):
        present = [each.strip() for each in environ.get(name, "").split(",") if each.strip()]
        lacking = [each for each in HERE if each not in present]
        if lacking and "*" not in present and (name in environ or name == "NO_PROXY"):
            yield name, ",".join([*present, *lacking])
