"""The four forms of a request target."""

import pytest

from forehearth.http.faults import Malformed
from forehearth.http.target import split
from tests.unit.dice import by_dice
from tests.unit.http.words import words


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (b"/", (b"/", b"", None)),
        (b"/a/b?c=d", (b"/a/b", b"c=d", None)),
        (b"/a?", (b"/a", b"", None)),
        (b"/a?b?c/..", (b"/a", b"b?c/..", None)),
        (b"/models/@cf/meta:x", (b"/models/@cf/meta:x", b"", None)),
        (b"/models/a%2Fb", (b"/models/a%2Fb", b"", None)),
        (b"//a", (b"//a", b"", None)),
        (b"/a/.well-known/..x/x..", (b"/a/.well-known/..x/x..", b"", None)),
        (b"/a?q=%zz&%", (b"/a", b"q=%zz&%", None)),
        (b"http://h:1/a?b", (b"/a", b"b", b"h:1")),
        (b"HTTPS://h", (b"/", b"", b"h")),
        (b"http://h?b", (b"/", b"b", b"h")),
    ],
)
def test_paths_and_urls_are_taken_apart_as_they_are(target, expected):
    assert split(b"GET", target) == expected


def test_an_asterisk_is_for_options_alone():
    assert split(b"OPTIONS", b"*") == (b"*", b"", None)
    with pytest.raises(Malformed):
        split(b"GET", b"*")


@pytest.mark.parametrize(
    "target",
    [
        b"a",
        b"@evil/",
        b"?a",
        b"*/",
        b"/a#b",
        b"/?#",
        b"h:80",
        b"http:/a",
        b"http://",
        b"http:///a",
        b"http://u@h/",
        b"http://h:0/",
        b"http://h /",
        b"ftp://h/",
        b"/a/../b",
        b"/..",
        b"/.",
        b"/a/.",
        b"/a/./b",
        b"/%2e%2e/a",
        b"/.%2E",
        b"/a/%2e%2e%2fb",
        b"/a\\b",
        b"/a%5cb",
        b"/a%00b",
        b"/a%",
        b"/a%4",
        b"/a%zz",
        b'/a"b',
        b"/a<b",
        b"/a>b",
        b"/a^b",
        b"/a`b",
        b"/a{b}",
    ],
)
def test_what_could_be_read_as_something_else_is_refused(target):
    with pytest.raises(Malformed) as fault:
        split(b"GET", target)
    assert fault.value.status == 400


PARTS = (
    *(b"/", b".", b"..", b"%2e", b"%2F", b"%", b"a", b"?", b"#", b"@", b"*", b"http://", b"h", b":", b"\\", b"|"),
    *(b"/a", b"/."),
)


@by_dice(accepted=0.02, refused=0.3)
def test_an_accepted_path_stands_for_itself_alone(dice):
    target = words(dice, PARTS, 8)
    try:
        path, query, authority = split(b"GET", target or b"/")
    except Malformed:
        return "refused"
    assert path.startswith(b"/")
    for segment in path.lower().replace(b"%2f", b"/").replace(b"%2e", b".").split(b"/"):
        assert segment not in {b".", b".."}
    if authority is None:
        assert (target or b"/") == path + (b"?" + query if b"?" in target else b"")
    else:
        assert authority
    return "accepted"
