"""No secret comes through the redactor: registered ones in any form, unregistered ones by their shape."""

import base64
import json
import re
import time
from urllib.parse import quote, quote_plus

import pytest

from forehearth.core.secret import Secret
from forehearth.telemetry.redaction import MASK, SHORTEST, Redactor, names_credential
from tests.unit.dice import by_dice, some_text

CANARY = 'cAnary+7/q=81"Z%'

ENCODINGS = {
    "plain": str,
    "json": lambda secret: json.dumps(secret)[1:-1],
    "repr": lambda secret: repr(secret)[1:-1],
    "path": quote,
    "url": lambda secret: quote(secret, safe=""),
    "url, small letters": lambda secret: re.sub("%..", lambda code: code[0].lower(), quote(secret, safe="")),
    "form": quote_plus,
    "base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "base64, second": lambda secret: base64.b64encode(b"u" + secret.encode()).decode(),
    "base64, third": lambda secret: base64.b64encode(b"u:" + secret.encode() + b"tail").decode(),
    "base64 of the web": lambda secret: base64.urlsafe_b64encode(b"user:" + secret.encode()).decode(),
}


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
def test_a_registered_secret_is_taken_out_in_every_form(encode):
    form = encode(CANARY)
    assert form in f"see {form} there"
    shown = Redactor([Secret(CANARY)]).redact(f"see {form} there")
    assert shown.startswith("see ")
    assert shown.endswith(" there")
    assert MASK in shown
    # What may be left of base64 are the characters that the neighbours share with the secret.
    for start in range(len(form) - 7):
        piece = form[start : start + 8]
        assert piece not in shown or piece not in _core(form), piece


def _core(form: str) -> str:
    return form[4:-4]


def test_a_secret_can_be_registered_later():
    redactor = Redactor()
    assert redactor.redact("later-secret") == "later-secret"
    redactor.register(Secret("later-secret"))
    assert redactor.redact("later-secret") == MASK


def test_a_longer_secret_goes_before_one_that_it_contains():
    assert Redactor([Secret("abcdefgh"), Secret("abcdefgh-and-more")]).redact("abcdefgh-and-more") == MASK


def test_words_too_short_to_be_secrets_stay():
    assert Redactor([Secret("EMPTY")]).redact("the list is EMPTY") == "the list is EMPTY"


SHAPES = [
    ("api-key: QQQQ", "api-key: ***"),
    ("{'api-key': 'QQQQ', 'x': 1}", "{'api-key': ***, 'x': 1}"),
    ('{"api_key":"QQ QQ","b":2}', '{"api_key":***,"b":2}'),
    ("(b'api-key', b'QQQQ')", "(b'api-key', b***)"),
    ("(b'authorization', b'Bearer QQQQ')", "(b'authorization', b***)"),
    ("Authorization: Bearer QQQQ rest", "Authorization: *** rest"),
    ("proxy-authorization: Basic QQQQ", "proxy-authorization: ***"),
    (r"{\"api_key\":\"QQQQ\",\"z\":1}", r"{\"api_key\":\***\",\"z\":1}"),
    ("AZURE_OPENAI_API_KEY=QQQQ make run", "AZURE_OPENAI_API_KEY=*** make run"),
    ("x-api-key=QQQQ, status=200", "x-api-key=***, status=200"),
    ("Ocp-Apim-Subscription-Key: QQQQ", "Ocp-Apim-Subscription-Key: ***"),
    (r"password='QQ\'QQ' ok", "password=*** ok"),
    ("Cookie: a=QQQQ; b=QQQQ", "Cookie: ***"),
    ("Bearer QQQQ-QQQQ_1", "Bearer ***"),
    ("http://host/x?api-key=QQQQ&b=2", "http://host/x?api-key=***&b=2"),
    ("http://host/x?sig=QQ%3D&b=2", "http://host/x?sig=***&b=2"),
    ("http://user:QQQQ@host/x", "http://***@host/x"),
    ("redis://:QQQQ@host:1", "redis://***@host:1"),
    ("sk-proj-QQQQ_QQQQ.", "***."),
    ("a ghp_QQQQQQQQQQQQ b", "a *** b"),
    ("eyJhbGciOiJI.eyJzdWIiOiI.QQ-QQ_1 end", "*** end"),
    ("-----BEGIN PRIVATE KEY-----\nQQQQ\n-----END PRIVATE KEY----- after", "*** after"),
    ("-----BEGIN RSA PRIVATE KEY-----\nQQQQ", "***"),
    ("access_token=QQQQ&refresh_token=QQQQ", "access_token=***&refresh_token=***"),
]


@pytest.mark.parametrize(("text", "shown"), SHAPES)
def test_what_has_the_shape_of_a_credential_is_taken_out(text, shown):
    assert Redactor().redact(text) == shown
    assert "QQ" not in shown


@pytest.mark.parametrize(
    "text",
    [
        "max_tokens: 5, completion_tokens=7",
        "GET http://127.0.0.1:8080/openai/v1/models 200",
        "a key: value pair",
        "write to ops@example.org about backend azure-west",
        "request 0b8b6f1e-43d5-4a8e-9e52-0f5f4e1c2a3b took 0.123 s",
        "the deployment gpt-4o-mini-2024-07-18 is ready",
    ],
)
def test_ordinary_words_stay(text):
    assert Redactor().redact(text) == text


@pytest.mark.parametrize("name", ["api_key", "apiKey", "x-api-key", "Authorization", "client_secret", "password"])
def test_names_of_fields_that_hold_credentials(name):
    assert names_credential(name)


@pytest.mark.parametrize("name", ["request_id", "tokens", "key", "backend", "monkey", "api_key_name"])
def test_names_of_other_fields(name):
    assert not names_credential(name)


@pytest.mark.parametrize(
    "piece",
    [
        'password=\\"',
        "password=\"'",
        "eyJ",
        "://",
        "sk-",
        "api_key ",
        "bearer ",
        "?key=",
        "a",
        '"',
        "cookie:",
        "\\",
        " ",
    ],
)
def test_no_text_makes_it_slow(piece):
    text = (piece * 65_536)[:65_536]
    begun = time.monotonic()
    Redactor([Secret(CANARY)]).redact(text)
    assert time.monotonic() - begun < 10


VISIBLE = "".join(map(chr, range(33, 127)))


@by_dice(**{f"{'long' if long else 'short'}, {how}": 0.01 for how in ENCODINGS for long in (True, False)})
def test_no_secret_survives_between_any_texts(dice):
    alphabet = dice.choice((VISIBLE, "ab1", "*-", "%2F", "+/=", "\"'\\"))
    size = dice.randint(SHORTEST, 12) if dice.random() < 0.4 else dice.randint(SHORTEST, 60)
    secret = "".join(dice.choices(alphabet, k=size))
    if secret in MASK * 4:
        return "mask"
    before, after, how = some_text(dice, 40), some_text(dice, 40), dice.choice(sorted(ENCODINGS))
    form = ENCODINGS[how](secret) if "base64" not in how else base64.b64encode(secret.encode()).decode().rstrip("=")
    shown = Redactor([Secret(secret)]).redact(before + form + after)
    assert secret not in shown or secret in MASK + after or secret in before + MASK
    if len(secret) > 12:
        assert form[:-2] not in shown
    return f"{'long' if len(secret) > 12 else 'short'}, {how}"
