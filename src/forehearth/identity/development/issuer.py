"""The development issuer itself: what it is known by, and a token for whoever asks it in one of the ways it knows."""

import base64
import importlib
import logging
import secrets
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from forehearth.core.clock import Clock
from forehearth.core.identity_settings import AssignmentSettings, DevelopmentIssuerSettings
from forehearth.core.secret import Secret
from forehearth.identity.development import audiences, payloads
from forehearth.identity.development.denied import Denied, missing
from forehearth.identity.development.device_codes import Begun, DeviceCodes, Wish
from forehearth.identity.development.identity_header import name_in
from forehearth.identity.development.installation import Installation
from forehearth.identity.development.payloads import Frame
from forehearth.identity.development.people import SIGN_ON_CLIENT, Application, People, Person

if TYPE_CHECKING:
    from forehearth.identity.development.signing import SigningKey

DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
SHORT_DEVICE_GRANT: Final = "device_code"
"""The same as MSAL for Node says it, and Entra ID takes it."""
CLIENT_GRANT: Final = "client_credentials"
DEVELOPER_ROLE: Final = "Foundry User"
NOWHERE: Final = "https://forehearth.invalid"
"""Where an issuer is that has no address with TLS: under a name that is nobody's, now and later."""
SIGNING: Final = "forehearth.identity.development.signing"
"""It brings cryptography, so only a process that has an issuer imports it."""

_UNAUTHORIZED = 401
_log = logging.getLogger("forehearth.identity")


class Trusted(msgspec.Struct, frozen=True, kw_only=True):
    """What whoever verifies its tokens has to know."""

    issuer: str
    """Exactly what they have as `iss`: this installation's directory is in it, so that it is nobody else's."""
    tenant: str
    """What they have as `tid`."""
    keys: Mapping[str, Any]
    """The key set, as a document."""


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """A token, and what its holder is told of it. Times are Unix seconds."""

    token: Secret
    audience: str
    client_id: str
    issued: int
    expires: int
    scope: str = ""
    identity: Secret | None = None
    """The id token, where somebody signed in."""
    client_info: str = ""
    """Who that is, in the form in which clients of Entra ID keep accounts."""

    @property
    def seconds(self) -> int:
        """How long it lasts."""
        return self.expires - self.issued


class DevelopmentIssuer:
    """Gives tokens. What it is asked has passed a `Guard`; what it does not give raises `Denied`.

    `base` is where the server speaks TLS, such as `https://localhost:8443`; `new_id` makes what is in no other token;
    `random_bytes` makes secrets.
    """

    def __init__(
        self,
        settings: DevelopmentIssuerSettings,
        installation: Installation,
        *,
        base: str = NOWHERE,
        clock: Clock,
        new_id: Callable[[], str],
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """Raises `Misconfigured` when settings or installation cannot be used."""
        self._people = People(settings)
        self._lasts = settings.token_seconds
        self._secret = installation.secret
        self._clock = clock
        self.new_id = new_id
        self._key: SigningKey = importlib.import_module(SIGNING).SigningKey(installation.key)
        self._device_codes = DeviceCodes(clock, random_bytes)
        self.trusted = Trusted(
            issuer=f"{base}/{installation.tenant}/v2.0",
            tenant=installation.tenant,
            keys={"keys": [dict(self._key.public)]},
        )
        self.assignments = (
            AssignmentSettings(role=DEVELOPER_ROLE, user=self._people.developer.id, tenant=installation.tenant),
        )
        """What its people may do without any configuration: `developer` is Foundry User at the default resource, and so
        in its projects. Of that role, one project alone would open neither `/models` nor `/openai/v1`."""

    def now(self) -> float:
        """What time it is here, in Unix seconds."""
        return self._clock.unix()

    def by_header(self, header: str, asked: Mapping[str, str]) -> Issued:
        """For the holder of an identity header: as that person, or as the managed identity that is asked for."""
        return self._managed(self._holder(header), asked)

    def by_machine(self, asked: Mapping[str, str]) -> Issued:
        """For any program of this machine: as `developer`, or as the managed identity that is asked for."""
        return self._managed(self._people.developer, asked)

    def by_grant(self, form: Mapping[str, str]) -> Issued:
        """For what the token endpoint is sent."""
        kind = form.get("grant_type") or _lacking("grant_type")
        by_device_code = dict.fromkeys((DEVICE_GRANT, SHORT_DEVICE_GRANT), self._by_device_code)
        grant = {CLIENT_GRANT: self._by_secret, **by_device_code}.get(kind)
        if grant is None:
            raise Denied(
                "unsupported_grant_type",
                70003,
                f"The development issuer knows the grant types {CLIENT_GRANT} and {DEVICE_GRANT}.",
            )
        return grant(form)

    def begin(self, form: Mapping[str, str]) -> Begun:
        """Open a device code. Raises `Denied`."""
        client_id = form.get("client_id") or _lacking("client_id")
        if not self._people.may_sign_in_with(client_id):
            raise Denied(
                "unauthorized_client",
                700016,
                "There is no application of that client id under identity.development.applications.",
            )
        audience, scope = _audience(form)
        return self._device_codes.begin(Wish(client_id=client_id.lower(), audience=audience, scope=scope))

    def approve(self, header: str, user_code: str) -> str:
        """Sign the holder of an identity header in on the screen that shows this code; their name. Raises `Denied`."""
        person = self._holder(header)
        wish = self._device_codes.approve(user_code or _lacking("user_code"), person)
        _log.info("%s signs in with a device code, for %s", person.name, wish.audience)
        return person.name

    def _managed(self, person: Person, asked: Mapping[str, str]) -> Issued:
        audience = audiences.of_resource(asked.get("resource", ""))
        application = self._people.managed_identity(asked)
        if application is not None:
            return self._to_application(application, audience)
        return self._to_person(person, Wish(client_id=SIGN_ON_CLIENT, audience=audience, scope=""))

    def _holder(self, header: str) -> Person:
        name = name_in(self._secret, header)
        if name is None:
            raise Denied(
                "invalid_client",
                7000215,
                "The identity header is not one of this installation: run 'forehearth login' again.",
                status=_UNAUTHORIZED,
            )
        return self._people.person(name)

    def _by_secret(self, form: Mapping[str, str]) -> Issued:
        client_id = form.get("client_id") or _lacking("client_id")
        application = self._people.application(client_id)
        given = form.get("client_secret", "")
        if not given:
            raise Denied(
                "invalid_client",
                7000218,
                "The request body must contain the following parameter: 'client_secret'. Assertions are not taken.",
                status=_UNAUTHORIZED,
            )
        if application.secret is None or not application.secret.matches(given):
            raise Denied("invalid_client", 7000215, "Invalid client secret provided.", status=_UNAUTHORIZED)
        audience, _ = _audience(form)
        return self._to_application(application, audience)

    def _by_device_code(self, form: Mapping[str, str]) -> Issued:
        client_id = form.get("client_id") or _lacking("client_id")
        person, wish = self._device_codes.redeem(form.get("device_code") or _lacking("device_code"), client_id)
        return self._to_person(person, wish, signed_in=True)

    def _to_application(self, application: Application, audience: str) -> Issued:
        frame = self._frame(audience)
        _log.info("the application %s has a token for %s", application.name, audience)
        return Issued(
            token=self._key.sign(payloads.of_application(application, frame)),
            audience=audience,
            client_id=application.client_id,
            issued=frame.issued,
            expires=frame.expires,
        )

    def _to_person(self, person: Person, wish: Wish, *, signed_in: bool = False) -> Issued:
        frame = self._frame(wish.audience)
        _log.info("%s has a token for %s", person.name, wish.audience)
        issued = Issued(
            token=self._key.sign(payloads.of_person(person, frame, wish.client_id)),
            audience=wish.audience,
            client_id=wish.client_id,
            issued=frame.issued,
            expires=frame.expires,
            scope=wish.scope,
        )
        if not signed_in:
            return issued
        identity = payloads.identity_of(person, self._frame(wish.client_id))
        account = msgspec.json.encode({"uid": person.id, "utid": self.trusted.tenant})
        return msgspec.structs.replace(
            issued,
            identity=self._key.sign(identity),
            client_info=base64.urlsafe_b64encode(account).rstrip(b"=").decode(),
        )

    def _frame(self, audience: str) -> Frame:
        issued = int(self._clock.unix())
        return Frame(
            issuer=self.trusted.issuer,
            tenant=self.trusted.tenant,
            audience=audience,
            issued=issued,
            expires=issued + self._lasts,
            unique=self.new_id(),
        )


def _audience(form: Mapping[str, str]) -> tuple[str, str]:
    """The audience that is asked for, and the scope in which it stood: `resource` is the older way to say it."""
    scope, resource = form.get("scope", ""), form.get("resource", "")
    if not scope and resource:
        return audiences.of_resource(resource), f"{resource}/.default"
    return audiences.of_scope(scope), scope


def _lacking(name: str) -> str:
    raise missing(name)
