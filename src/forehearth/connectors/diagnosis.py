"""What each step on the way to an answer showed: a check with its state, and what to do where it failed.

It judges what others measured, and measures nothing.
"""

import base64
import socket
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, Literal

import msgspec

from forehearth.connectors.remedies import Remedy

Step = Literal[
    "name",
    "connection",
    "tls",
    "server",
    "clock",
    "credential",
    "api-version",
    "deployment",
    "limits",
    "streaming",
]
State = Literal["ok", "warning", "failed", "skipped"]

EXIT_STATUS: Final[Mapping[Step, int]] = {
    "name": 10,
    "connection": 11,
    "tls": 12,
    "server": 13,
    "clock": 14,
    "credential": 15,
    "api-version": 16,
    "deployment": 17,
    "limits": 18,
    "streaming": 19,
}
"""What a command ends with whose first failed step it is."""
TOLERATED_SECONDS: Final = 300
"""How far clocks may differ before tokens are refused: what Entra ID's libraries allow."""
NOTICED_SECONDS: Final = 30
_PORTS: Final = "8080 is http and 8443 is https, unless configured otherwise"
_SOON_SECONDS: Final = 7 * 86_400
_REMAINING: Final = (("x-ratelimit-remaining-requests", "requests"), ("x-ratelimit-remaining-tokens", "tokens"))


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """A step, and what it showed."""

    step: Step
    state: State
    found: str
    remedy: str = ""


def ok(step: Step, found: str) -> Check:
    """It is as it should be."""
    return Check(step=step, state="ok", found=found)


def failed(step: Step, remedy: Remedy, said: str = "") -> Check:
    """It is not; `said` is what was answered."""
    told = f" ({said.strip().removesuffix('.')})" if said.strip() else ""
    return Check(step=step, state="failed", found=f"{remedy.cause.removesuffix('.')}{told}.", remedy=remedy.remedy)


def unresolved(error: Exception) -> Check:
    """The name has no address."""
    again = isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN
    if again or isinstance(error, TimeoutError):
        return failed(
            "name",
            Remedy(
                cause="No name server answers.",
                remedy="Look at the network, a VPN, and /etc/resolv.conf.",
            ),
        )
    return failed(
        "name",
        Remedy(
            cause="The name does not exist.",
            remedy="Look for a typing error; the name of an Azure resource is its custom subdomain. On a private "
            "network, link the private DNS zone of its private endpoint.",
        ),
    )


def unconnected(error: Exception, port: int) -> Check:
    """Nothing can be connected to."""
    if isinstance(error, ConnectionRefusedError):
        cause = f"Nothing listens at port {port}."
        remedy = f"Start the server with 'forehearth serve', or correct the port: {_PORTS}."
    elif isinstance(error, TimeoutError):
        cause, remedy = (
            "The connection is not answered: something drops it.",
            "Look at firewalls, and at the resource's networking: it may admit its private endpoint alone.",
        )
    else:
        cause, remedy = ("The host cannot be reached.", "Look at the network, its routes, and a VPN.")
    return failed("connection", Remedy(cause=cause, remedy=remedy))


def untrusted(error: Exception) -> Check:
    """No TLS session that would be trusted."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        cause, remedy = (
            "No TLS session can be agreed on: that port may speak plain http, or a proxy may stand in the way.",
            f"Look at scheme and port: {_PORTS}.",
        )
        return failed("tls", Remedy(cause=cause, remedy=remedy))
    said = error.verify_message
    if "expired" in said or "not yet valid" in said:
        remedy = "Look at this machine's clock first; then renew the certificate. A development one is renewed by "
        remedy += "starting the server again."
    elif "ostname" in said or "IP address" in said:
        remedy = (
            "Call the server by a name that is in its certificate; server.tls.names adds names to a development one."
        )
    else:
        remedy = 'For a server of yours: --data-dir, or eval "$(forehearth tls trust)". For a company\'s own CA, or a '
        remedy += "proxy that looks into TLS: name the CA's file in SSL_CERT_FILE."
    return failed("tls", Remedy(cause="The certificate is not trusted.", remedy=remedy), said)


def trusted(protocol: str, expires: float | None, now: float) -> Check:
    """TLS as it should be, and whether that will last."""
    if expires is None:
        return ok("tls", protocol)
    until = datetime.fromtimestamp(expires, UTC).strftime("%Y-%m-%d")
    if expires - now < _SOON_SECONDS:
        return Check(
            step="tls",
            state="warning",
            found=f"{protocol}; the certificate ends soon: {until}",
            remedy="Renew it. A development one is renewed when the server starts.",
        )
    return ok("tls", f"{protocol}, certificate until {until}")


def clock(date: str | None, now: float) -> Check:
    """This machine's clock beside the server's, by the header `date` of an answer."""
    if date is None:
        return Check(step="clock", state="warning", found="the server does not tell its time")
    try:
        theirs = parsedate_to_datetime(date).timestamp()
    except ValueError:
        return Check(step="clock", state="warning", found="the server's time cannot be read")
    off = now - theirs
    seconds = abs(off)
    if seconds < NOTICED_SECONDS:
        return ok("clock", f"{seconds:.0f} s apart")
    words = f"this machine's clock is {seconds:.0f} s {'ahead of' if off > 0 else 'behind'} the server's"
    remedy = "Set the clock: tokens and certificates are judged by it (timedatectl set-ntp true)."
    state: State = "failed" if seconds > TOLERATED_SECONDS else "warning"
    return Check(step="clock", state=state, found=words, remedy=remedy)


def expired(token: str, now: float) -> str:
    """Why a token cannot be good at `now`, by its own claims, which nobody has verified; empty where it may be."""
    claims = _claims(token)
    ends, begins = claims.get("exp"), claims.get("nbf")
    if isinstance(ends, int | float) and now > ends:
        return f"it expired {now - ends:.0f} s ago"
    if isinstance(begins, int | float) and now + TOLERATED_SECONDS < begins:
        return f"it is not good before {begins - now:.0f} s from now"
    return ""


def limits(headers: Mapping[bytes, bytes]) -> Check:
    """What is left, as the answer tells."""
    found = {words: headers[name.encode()].decode("latin-1") for name, words in _REMAINING if name.encode() in headers}
    if not found:
        return ok("limits", "none is told")
    told = ", ".join(f"{left} {words}" for words, left in found.items())
    if "0" in found.values():
        return Check(
            step="limits",
            state="warning",
            found=f"left: {told}",
            remedy="The next call will be refused: wait, or have the limit raised.",
        )
    return ok("limits", f"left: {told}")


def exhausted(remedy: Remedy, said: str, headers: Mapping[bytes, bytes]) -> Check:
    """A limit is reached."""
    wait = headers.get(b"retry-after", b"").decode("latin-1")
    check = failed("limits", remedy, said)
    return msgspec.structs.replace(check, found=f"{check.found} Again in {wait} s.") if wait.isdigit() else check


def _claims(token: str) -> dict[str, Any]:
    parts = token.split(".")
    try:
        payload = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        found = msgspec.json.decode(payload)
    except (IndexError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
