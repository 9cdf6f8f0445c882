"""Signing in on another screen."""

import re

import pytest

from forehearth.identity.development.denied import Denied
from forehearth.identity.development.device_codes import LIFE_SECONDS, MOST, DeviceCodes, Wish
from forehearth.identity.development.people import Person
from forehearth.testing.clock import VirtualClock
from tests.unit.identity.development.cast import MARIA, Numbered

CLIENT = "aaaaaaaa-0000-4000-8000-000000000009"
WISH = Wish(client_id=CLIENT, audience="https://ai.azure.com", scope="https://ai.azure.com/.default")
PERSON = Person(name="maria", id=MARIA)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def codes(clock: VirtualClock) -> DeviceCodes:
    return DeviceCodes(clock, Numbered().random_bytes)


def denied(codes: DeviceCodes, device_code: str, client_id: str = CLIENT) -> str:
    with pytest.raises(Denied) as caught:
        codes.redeem(device_code, client_id)
    return caught.value.error


def test_codes_are_long_for_programs_and_short_for_people(codes: DeviceCodes):
    begun = [codes.begin(WISH) for _ in range(20)]
    assert all(re.fullmatch("[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", each.user_code) for each in begun)
    assert len({each.user_code for each in begun}) == len({each.device_code for each in begun}) == 20
    assert len(begun[0].device_code.reveal()) == 43
    assert begun[0].device_code.reveal() not in repr(begun[0])


async def test_a_program_waits_until_somebody_approves(codes: DeviceCodes, clock: VirtualClock):
    begun = codes.begin(WISH)
    code = begun.device_code.reveal()
    for _ in range(3):
        assert denied(codes, code) == "authorization_pending"
        await clock.advance(2)
    assert codes.approve(begun.user_code, PERSON) == WISH
    assert codes.redeem(code, CLIENT) == (PERSON, WISH)


def test_a_code_is_good_once(codes: DeviceCodes):
    begun = codes.begin(WISH)
    codes.approve(begun.user_code, PERSON)
    codes.redeem(begun.device_code.reveal(), CLIENT)
    assert denied(codes, begun.device_code.reveal()) == "bad_verification_code"
    with pytest.raises(Denied, match="no such code"):
        codes.approve(begun.user_code, PERSON)


def test_nobody_else_takes_over_what_was_approved(codes: DeviceCodes):
    begun = codes.begin(WISH)
    codes.approve(begun.user_code, PERSON)
    with pytest.raises(Denied, match="approved before"):
        codes.approve(begun.user_code, Person(name="mallory", id=CLIENT))
    assert codes.redeem(begun.device_code.reveal(), CLIENT)[0] == PERSON


def test_another_program_cannot_redeem_it_or_use_it_up(codes: DeviceCodes):
    begun = codes.begin(WISH)
    codes.approve(begun.user_code, PERSON)
    assert denied(codes, begun.device_code.reveal(), MARIA) == "bad_verification_code"
    assert codes.redeem(begun.device_code.reveal(), CLIENT.upper())[0] == PERSON


async def test_who_asks_too_often_is_told_to_slow_down(codes: DeviceCodes, clock: VirtualClock):
    code = codes.begin(WISH).device_code.reveal()
    assert denied(codes, code) == "authorization_pending"
    assert denied(codes, code) == "slow_down"
    await clock.advance(0.9)
    assert denied(codes, code) == "slow_down"
    await clock.advance(2)
    assert denied(codes, code) == "authorization_pending"


async def test_a_code_expires(codes: DeviceCodes, clock: VirtualClock):
    begun = codes.begin(WISH)
    approved = codes.begin(WISH)
    codes.approve(approved.user_code, PERSON)
    await clock.advance(LIFE_SECONDS)
    with pytest.raises(Denied, match="has expired"):
        codes.approve(begun.user_code, PERSON)
    for each in (begun, approved):
        assert denied(codes, each.device_code.reveal()) == "expired_token"
        assert denied(codes, each.device_code.reveal()) == "bad_verification_code"


async def test_only_so_many_are_open(codes: DeviceCodes, clock: VirtualClock):
    for _ in range(MOST):
        codes.begin(WISH)
    with pytest.raises(Denied) as caught:
        codes.begin(WISH)
    assert (caught.value.error, caught.value.status) == ("temporarily_unavailable", 503)
    await clock.advance(LIFE_SECONDS)
    assert codes.begin(WISH)


async def test_what_nobody_comes_back_for_is_forgotten(codes: DeviceCodes, clock: VirtualClock):
    for _ in range(5):
        for _ in range(MOST):
            codes.begin(WISH)
        await clock.advance(LIFE_SECONDS)
    assert len(codes) <= 2 * MOST


@pytest.mark.parametrize(
    "write", [str.lower, lambda code: code.replace("-", ""), lambda code: f" {code[:4]} {code[5:]} "]
)
def test_people_write_codes_as_they_like(codes: DeviceCodes, write):
    assert codes.approve(write(codes.begin(WISH).user_code), PERSON) == WISH


@pytest.mark.parametrize("code", ["", "AAAA-AAAA", "BCDF", "é"])
def test_a_code_that_nobody_shows(codes: DeviceCodes, code: str):
    codes.begin(WISH)
    with pytest.raises(Denied, match="no such code"):
        codes.approve(code, PERSON)
    assert denied(codes, code) == "bad_verification_code"
