"""The string formats that a grammar can keep: every text it matches has the format, though not every such text matches.

Left out of what the formats allow: leap seconds, years before 1000, quoted local parts, host names above ASCII.
"""

from collections.abc import Mapping
from typing import Final

from forehearth.embedded.gbnf import Chars, Node, Repeat, Text, choice, optional, seq

_DIGIT: Final = Chars((("0", "9"),))
_HEX: Final = Chars((("0", "9"), ("a", "f")))
_LETTER: Final = Chars((("a", "z"),))
_LETTER_OR_DIGIT: Final = Chars((("0", "9"), ("a", "z")))


def _any(first: str, last: str) -> Node:
    return Chars(((first, last),))


def _one_of(chars: str) -> Node:
    return Chars(tuple((char, char) for char in chars))


def _times(node: Node, count: int) -> Node:
    return Repeat(node, count, count)


def _date() -> Node:
    """Years 1000 to 9999; the 29th of February in leap years only."""
    century = seq(_any("1", "9"), _DIGIT)
    fourth = choice(
        (
            seq(Text("0"), _one_of("48")),
            seq(_one_of("2468"), _one_of("048")),
            seq(_one_of("13579"), _one_of("26")),
        )
    )
    fourth_century = choice((seq(_one_of("2468"), _one_of("048")), seq(_one_of("13579"), _one_of("26"))))
    leap = choice((seq(century, fourth), seq(fourth_century, Text("00"))))
    to_28 = choice((seq(Text("0"), _any("1", "9")), seq(Text("1"), _DIGIT), seq(Text("2"), _any("0", "8"))))
    to_30 = choice((to_28, Text("29"), Text("30")))
    long = choice(Text(month) for month in ("01", "03", "05", "07", "08", "10", "12"))
    short = choice(Text(month) for month in ("04", "06", "09", "11"))
    month_and_day = choice(
        (
            seq(long, Text("-"), choice((to_30, Text("31")))),
            seq(short, Text("-"), to_30),
            seq(Text("02-"), to_28),
        )
    )
    return choice((seq(century, _DIGIT, _DIGIT, Text("-"), month_and_day), seq(leap, Text("-02-29"))))


def _time() -> Node:
    hour = choice((seq(_any("0", "1"), _DIGIT), seq(Text("2"), _any("0", "3"))))
    sixty = seq(_any("0", "5"), _DIGIT)
    offset = choice((Text("Z"), seq(_one_of("+-"), hour, Text(":"), sixty)))
    fraction = optional(seq(Text("."), Repeat(_DIGIT, 1, 6)))
    return seq(hour, Text(":"), sixty, Text(":"), sixty, fraction, offset)


def _duration() -> Node:
    def count(unit: str) -> Node:
        return seq(choice((Text("0"), seq(_any("1", "9"), Repeat(_DIGIT, 0, 3)))), Text(unit))

    second = count("S")
    minute = seq(count("M"), optional(second))
    clock = seq(Text("T"), choice((seq(count("H"), optional(minute)), minute, second)))
    day = count("D")
    month = seq(count("M"), optional(day))
    calendar = seq(choice((seq(count("Y"), optional(month)), month, day)), optional(clock))
    return seq(Text("P"), choice((calendar, clock, count("W"))))


def _ipv4() -> Node:
    byte = choice(
        (
            _DIGIT,
            seq(_any("1", "9"), _DIGIT),
            seq(Text("1"), _DIGIT, _DIGIT),
            seq(Text("2"), _any("0", "4"), _DIGIT),
            seq(Text("25"), _any("0", "5")),
        )
    )
    return seq(byte, _times(seq(Text("."), byte), 3))


def _ipv6() -> Node:
    group = Repeat(_HEX, 1, 4)
    return seq(group, _times(seq(Text(":"), group), 7))


def _hostname() -> Node:
    label = seq(_LETTER, Repeat(_LETTER_OR_DIGIT, 0, 20), Repeat(seq(Text("-"), Repeat(_LETTER_OR_DIGIT, 1, 9)), 0, 2))
    return seq(label, Repeat(seq(Text("."), label), 0, 3), Text("."), Repeat(_LETTER, 2, 12))


def _email() -> Node:
    word = Repeat(_LETTER_OR_DIGIT, 1, 20)
    return seq(word, Repeat(seq(_one_of(".-_+"), word), 0, 1), Text("@"), _hostname())


def _uri() -> Node:
    segment = Repeat(Chars((("-", "-"), ("0", "9"), ("_", "_"), ("a", "z"))), 1, 40)
    return seq(Text("https://"), _hostname(), Repeat(seq(Text("/"), segment), 0, 8))


def _uuid() -> Node:
    return seq(_times(_HEX, 8), *(seq(Text("-"), _times(_HEX, size)) for size in (4, 4, 4, 12)))


FORMATS: Final[Mapping[str, Node]] = {
    "date": _date(),
    "time": _time(),
    "date-time": seq(_date(), Text("T"), _time()),
    "duration": _duration(),
    "uuid": _uuid(),
    "ipv4": _ipv4(),
    "ipv6": _ipv6(),
    "hostname": _hostname(),
    "email": _email(),
    "uri": _uri(),
}
"""What stands between the quotes of a string with this `format`."""
