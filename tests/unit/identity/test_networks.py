"""Which address is in which network, whichever way either is written."""

import ipaddress

import pytest

from forehearth.identity.networks import Networks
from tests.unit.dice import by_dice, some_text


@pytest.mark.parametrize(
    ("network", "address"),
    [
        ("10.0.0.0/8", "10.255.255.255"),
        ("10.0.0.0/8", "::ffff:10.0.0.1"),
        ("::ffff:10.0.0.0/104", "10.0.0.1"),
        ("::ffff:10.0.0.0/104", "::ffff:10.0.0.1"),
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7/32", "192.0.2.7"),
        ("0.0.0.0/0", "203.0.113.9"),
        ("::/0", "2001:db8::1"),
        ("2001:db8::/32", "2001:db8:ffff::"),
        ("fe80::/10", "fe80::1%eth0"),
        ("::1/128", "::1"),
    ],
)
def test_inside(network, address):
    assert Networks.read([network]).have(address)


@pytest.mark.parametrize(
    ("network", "address"),
    [
        ("10.0.0.0/8", "11.0.0.0"),
        ("10.0.0.0/8", ""),
        ("0.0.0.0/0", ""),
        ("::/0", ""),
        ("::/0", "10.0.0.1"),
        ("::/0", "::ffff:10.0.0.1"),
        ("0.0.0.0/0", "::1"),
        ("192.0.2.7/32", "192.0.2.8"),
        ("10.0.0.0/8", "10.0.0"),
        ("10.0.0.0/8", "10.0.0.1, 192.0.2.1"),
        ("10.0.0.0/8", "0x0a000001"),
        ("10.0.0.0/8", "167772161"),
        ("127.0.0.0/8", "localhost"),
        ("0.0.0.0/0", "\x00"),
    ],
)
def test_outside(network, address):
    assert not Networks.read([network]).have(address)


def some_address(dice):
    """Any address, IPv4 within IPv6 among them."""
    kind = dice.randrange(3)
    if kind == 0:
        return ipaddress.IPv4Address(dice.getrandbits(32))
    return ipaddress.IPv6Address(dice.getrandbits(128) if kind == 1 else (0xFFFF << 32) + dice.getrandbits(32))


def near(dice, address):
    """An address that is the same up to some bit."""
    return type(address)(int(address) ^ dice.getrandbits(dice.randrange(address.max_prefixlen + 1) or 1))


@by_dice(inside=0.2, outside=0.4)
def test_as_the_standard_library_has_it(dice):
    of = some_address(dice)
    address = near(dice, of) if dice.random() < 0.7 else some_address(dice)
    network = ipaddress.ip_network((of, dice.randrange(of.max_prefixlen + 1)), strict=False)
    plain = getattr(address, "ipv4_mapped", None) or address
    if isinstance(network, ipaddress.IPv6Network) and getattr(network.network_address, "ipv4_mapped", None):
        return "mapped"
    assert Networks([network]).have(str(address)) is (plain in network)
    return "inside" if plain in network else "outside"


EVERYWHERE = Networks.read(["0.0.0.0/0", "::/0"])


@by_dice(address=0.05, text=0.5)
def test_what_is_no_address_is_in_no_network(dice):
    text = some_text(dice, 20) if dice.random() < 0.3 else str(some_address(dice))
    place = dice.randrange(len(text) + 1)
    text = text[:place] + dice.choice("0123456789abcdef.:/ \n") + text[place + dice.randrange(3) :]
    try:
        ipaddress.ip_address(text)
    except ValueError:
        assert not EVERYWHERE.have(text)
        return "text"
    assert EVERYWHERE.have(text)
    return "address"


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("10.0.0.1/8", "did you mean 10.0.0.0/8?"),
        ("2001:db8::1/32", "did you mean 2001:db8::/32?"),
        ("10.0.0.0/33", "such as 10.0.0.0/8"),
        ("example.com", "such as 10.0.0.0/8"),
        ("", "such as 10.0.0.0/8"),
    ],
)
def test_what_is_no_network_is_refused_with_a_remedy(text, remedy):
    with pytest.raises(ValueError, match="is no network") as refused:
        Networks.read(["10.0.0.0/8", text])
    assert remedy in str(refused.value)


@pytest.mark.parametrize(
    ("outer", "inner", "covered"),
    [
        (["10.0.0.0/8"], ["10.1.0.0/16"], True),
        (["10.0.0.0/8"], ["10.0.0.0/8"], True),
        (["10.0.0.0/8", "192.0.2.0/24"], ["192.0.2.1/32", "10.0.0.0/9"], True),
        (["10.1.0.0/16"], ["10.0.0.0/8"], False),
        (["10.0.0.0/8"], ["10.0.0.0/8", "11.0.0.0/8"], False),
        (["0.0.0.0/0"], ["::/0"], False),
        (["::/0"], ["0.0.0.0/0"], False),
        (["10.0.0.0/8"], ["::ffff:10.0.0.0/104"], True),
    ],
)
def test_one_set_within_another(outer, inner, covered):
    assert Networks.read(outer).cover(Networks.read(inner)) is covered
