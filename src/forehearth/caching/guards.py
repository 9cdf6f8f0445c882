"""What two messages must have in common besides their vectors, before the answer to one is given to the other.

Vectors are near for `turn it on` and `turn it off`, for 15 mg and 50 mg, for A to B and B to A. So both messages are
brought into a plain form, and then everything must be equal: what is asked (how, who, when, how many, whether), the
time it is about, negations, numbers, units, dates, names, every other word that is not known to be harmless, and the
order of all that. See `words` for what is known. An unknown word is a difference: that costs hits, and no wrong answer.
"""

import re
import unicodedata
from collections import Counter
from typing import Final

import msgspec

from forehearth.caching import words as known

_TOKEN: Final = re.compile(
    r"(?<=\d)\s*(?:(?P<sign>[-\u2013\u2014])(?=\s*\d)|(?P<mark>[!'\"])(?!\w))"  # of 5-3, 5! and 5'
    r"|\d+(?:st|nd|rd|th)\b"  # 2nd
    r"|(?<![\w.])-?\d+(?:[.,:]\d+)*"  # 2.1, 1,000, 3:30, -5
    r"|\.?[^\W\d]\w*(?:['.]\w+)*(?:[+#]+(?!\w))?"  # words, don't, node.js, .net, C++
    r"|\d+|[^\s\w]"
)
_THOUSANDS: Final = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_NUMBER: Final = re.compile(r"-?\d[\d.,:]*")
_ORDINAL: Final = re.compile(r"(\d+)(?:st|nd|rd|th)")
_APOSTROPHE: Final = "\u2019"
_ENDS: Final = frozenset(".?!")
_IGNORED: Final = frozenset(".,;:!?\"'`-\u00b4\u2018\u201c\u201d\u201e\u00ab\u00bb\u2026\u2013\u2014\u00bf\u00a1")
_ASKED_BY: Final = known.HELD_BY | {"may", "can", "will", "might", "or", "not", "no"}
_NOT: Final = "not"
_SHORT_NOT: Final = {"cannot": "can", "can't": "can", "won't": "will", "shan't": "shall"}
_ENOUGH: Final = 3
"""Words that say what is meant, whatever is left out between them."""
_TENS: Final = 10
_MARK: Final = "?"
_VOWELS: Final = re.compile(r"[aeiouy]+")
_FROM_SILENT_E: Final = re.compile(r"[^aeiouy]*[aeiouy][^aeiouywx]")
_LONGEST_DAY: Final = 31


class Meaning(msgspec.Struct, frozen=True, kw_only=True):
    """A message in its plain form."""

    asks: tuple[str, ...]
    """What it wants to know, in the order in which it asks; then its time, and whether it can, must or should."""
    words: tuple[str, ...]
    """All that counts, in its order."""
    before: tuple[str, ...]
    """The preposition before each of the words; empty where there is none."""
    persons: str
    """Of whom it speaks, in its order: `1` is the one who asks, `2` the one who answers."""
    verbs: tuple[str, ...]
    """Its forms of to be, to do and to have."""
    names: frozenset[str]
    """Those of the words that are written like names."""


def meaning(message: str) -> Meaning:
    """The plain form of a message."""
    tokens, names = _tokens(unicodedata.normalize("NFKC", message).replace(_APOSTROPHE, "'"))
    there, line = set(tokens), " ".join(tokens)
    for words, pattern, into in known.FRAMES:
        if not words.isdisjoint(there):
            line = pattern.sub(into, line)
    tokens = _with_dates(_with_numbers(line.split()))
    kept, before, verbs = _sorted_out(_owners_first([each for each in tokens if not _is_mark(each)]))
    return Meaning(
        asks=_asks(tokens),
        words=kept,
        before=before,
        persons="".join(dict.fromkeys(filter(None, map(_person, tokens)))),
        verbs=verbs,
        names=frozenset(map(_plain, names)),
    )


def difference(asked: Meaning, kept: Meaning) -> str:
    """In what two messages differ, in one word; empty where they are `alike`."""
    if asked.words != kept.words:
        counted = Counter(asked.words), Counter(kept.words)
        different = {*(counted[0] - counted[1]), *(counted[1] - counted[0])}
        return _kind(different, asked.names | kept.names) if different else "order"
    if asked.asks != kept.asks:
        return "question"
    if asked.persons != kept.persons and asked.persons and kept.persons:
        return "person"
    if any(one and other and one != other for one, other in zip(asked.before, kept.before, strict=True)):
        return "words"
    short = len(asked.words) < _ENOUGH
    return "words" if not asked.words or (short and asked.verbs != kept.verbs) else ""


def alike(asked: Meaning, kept: Meaning) -> bool:
    """Whether two messages may have the same answer."""
    return asked.words == kept.words and not difference(asked, kept)


def _kind(different: set[str], names: frozenset[str]) -> str:
    for kind, belongs in (
        ("negation", lambda each: each == _NOT),
        ("numbers", lambda each: bool(_NUMBER.fullmatch(each)) or each in known.ORDINALS),
        ("dates", lambda each: each.startswith("date-") or each in known.DAYS),
        ("units", lambda each: each in _UNIT_NAMES),
        ("names", lambda each: each in names),
    ):
        if any(map(belongs, different)):
            return kind
    return "words"


def _is_mark(token: str) -> bool:
    return token[0] == _MARK and len(token) > 1


def _asks(tokens: list[str]) -> tuple[str, ...]:
    marks = [each for each in tokens if _is_mark(each)]
    asked = [each for each in marks if each not in known.MANNERS]
    if tokens and tokens[0] in known.YES_OR_NO:
        asked.insert(0, "?whether")
    manners = {each for each in marks if each in known.MANNERS}
    if any(map(_is_past, tokens)):
        manners.add("?past")
    return (*dict.fromkeys(asked), *sorted(manners))


def _person(token: str) -> str:
    return "1" if token in known.FIRST_PERSON else "2" if token in known.SECOND_PERSON else ""


def _sorted_out(tokens: list[str]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """The words that count, the preposition before each, and the verbs that only hold a sentence together."""
    words: list[str] = []
    before: list[str] = []
    verbs: list[str] = []
    preposition = ""
    for token in tokens:
        if token in known.PREPOSITIONS:
            preposition = known.PREPOSITIONS[token]
        elif token in known.VERBS:
            verbs.append(known.VERBS[token])
        elif token not in known.DROPPED and token not in _IGNORED:
            words.append(_NOT if token in known.NOT else _plain(token))
            before.append(preposition)
            preposition = ""
    return tuple(words), tuple(before), tuple(verbs)


def _tokens(text: str) -> tuple[list[str], set[str]]:
    """The words and signs of a text in small letters, short forms written out; and which of them are names."""
    shouted = text.isupper()
    found: list[str] = []
    names: set[str] = set()
    for each in _TOKEN.finditer(text):
        raw = each.group().strip()
        small = raw.casefold()
        is_name = not shouted and raw != small and bool(found) and found[-1] not in _ENDS
        if each.lastgroup is not None:
            found.append(f"#{raw}")
        elif small in known.MONTHS and (
            is_name or small not in known.ALSO_WORDS or text[each.end() : each.end() + 2].strip().isdecimal()
        ):
            found.append(f"date-{known.MONTHS[small]}")
        elif is_name and _only_written_like(raw, small, after_name=found[-1] in names):
            found.append(f"{small}_")
        else:
            found += _written_out(small)
        if is_name:
            names.add(found[-1].removesuffix("'s"))
    return found, names


def _only_written_like(raw: str, small: str, *, after_name: bool) -> bool:
    """Whether it is another word than the small one that is written alike: US and us, IT and it, vitamin A and a."""
    if raw == "I":
        return after_name
    return raw.isupper() and (small in known.DROPPED or small in _ASKED_BY)


def _written_out(word: str) -> list[str]:
    """Short forms in full: don't is do not, what's is what is, and the 's of an owner stands alone."""
    if word in _SHORT_NOT:
        return [_SHORT_NOT[word], "not"]
    if "'" not in word:
        return [word]
    for short, full in known.SHORT.items():
        if word.endswith(short):
            return [word.removesuffix(short), full]
    if word.endswith("'s"):
        holder = word.removesuffix("'s")
        return [holder, "is" if holder in known.HELD_BY else "'s"]
    return [word]


def _with_numbers(tokens: list[str]) -> list[str]:
    """Numbers in words become digits; thousands are not set apart."""
    found: list[str] = []
    at = 0
    while at < len(tokens):
        number, length = _number_at(tokens, at)
        token = str(number) if length else tokens[at]
        found.append(token.replace(",", "") if _THOUSANDS.fullmatch(token) else token)
        at += length or 1
    return found


def _number_at(tokens: list[str], start: int) -> tuple[int, int]:
    """The number that is written in words from `start` on, and how many words it has; 0 words where there is none."""
    total = current = 0
    room = _TENS * _TENS
    """What may still be added: after twenty only less than ten, after seven nothing."""
    at = start
    while at < len(tokens):
        word = tokens[at]
        small, large = known.SMALL.get(word), known.LARGE.get(word)
        if small is not None and small < room:
            current, room = current + small, _TENS if small >= 2 * _TENS else 0
        elif large is not None and current:
            current, room = current * large, _TENS * _TENS
            if large > room:
                total, current = total + current, 0
        elif not (word == "and" and at > start and tokens[at - 1] in known.LARGE and _is_small(tokens, at + 1)):
            break
        at += 1
    return total + current, at - start


def _is_small(tokens: list[str], at: int) -> bool:
    return at < len(tokens) and tokens[at] in known.SMALL


def _with_dates(tokens: list[str]) -> list[str]:
    """The day before or after a month goes into one with it: June 1, 1 June, the first of June."""
    found: list[str] = []
    skipped = False
    for at, token in enumerate(tokens):
        if skipped:
            skipped = False
        elif not token.startswith("date-"):
            found.append(token)
        else:
            before = found[-2:] if found[-1:] == ["of"] else found[-1:]
            day = _day(before[0]) if before else 0
            if day:
                del found[-len(before) :]
            elif at + 1 < len(tokens):
                day = _day(tokens[at + 1])
                skipped = bool(day)
            found.append(f"{token}-{day}" if day else token)
    return found


def _day(token: str) -> int:
    """The day of a month that a token names; 0 for none."""
    ordinal = _ORDINAL.fullmatch(token)
    digits = ordinal[1] if ordinal else token
    day = int(digits) if digits.isdecimal() and len(digits) <= 2 else known.ORDINALS.get(token, 0)  # noqa: PLR2004 - digits of a day
    return day if day <= _LONGEST_DAY else 0


def _owners_first(tokens: list[str]) -> list[str]:
    """The capital of France becomes France capital, which is France's capital, too."""
    found: list[str] = []
    at = 0
    while at < len(tokens):
        if tokens[at] != "of":
            found.append(tokens[at])
            at += 1
            continue
        start = len(found)
        while start and found[start - 1] not in known.BETWEEN:
            start -= 1
        owned = found[start:]
        del found[start:]
        at += 1
        while at < len(tokens) and tokens[at] in known.DROPPED and tokens[at] != "of":
            found.append(tokens[at])
            at += 1
        while at < len(tokens) and tokens[at] not in known.BETWEEN:
            found.append(tokens[at])
            at += 1
        found += owned
    return found


def _plain(word: str) -> str:
    """A word without its ending, as the one that stands for it and its like."""
    word = known.PAST.get(word, word)
    if word in known.IRREGULAR:
        return known.IRREGULAR[word]
    ordinal = _ORDINAL.fullmatch(word)
    if ordinal:
        return next((name for name, number in known.ORDINALS.items() if number == int(ordinal[1])), word)
    stem = _stem(word)
    return _UNITS.get(word) or _UNITS.get(stem) or _SAME.get(stem, stem)


def _is_past(word: str) -> bool:
    return word in known.PAST or (len(word) > 4 and word.endswith("ed") and not word.endswith("eed"))  # noqa: PLR2004 - a length of English words


def _stem(word: str) -> str:
    """Without the endings of plurals, of -ing and of -ed."""
    if not (word.isascii() and word.isalpha()):
        return word
    if len(word) > 4 and word.endswith("ies"):  # noqa: PLR2004 - a length of English words
        word = word[:-3] + "y"
    elif word.endswith(("sses", "ches", "shes", "xes", "zes")):
        word = word[:-2]
    elif len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):  # noqa: PLR2004 - a length of English words
        word = word[:-1]
    if len(word) > 5 and word.endswith("ing") and _VOWELS.search(word[:-3]):  # noqa: PLR2004 - a length of English words
        word = _before_ending(word[:-3])
    elif _is_past(word):
        word = word[:-3] + "y" if word.endswith("ied") else _before_ending(word[:-2])
    if word.endswith("e") and len(_VOWELS.findall(word[:-1])) > 1:
        word = word[:-1]
    return word


def _before_ending(stem: str) -> str:
    """Hopping and hopped are of hop, hoping and hoped of hope."""
    if len(stem) > 3 and stem[-1] == stem[-2] and stem[-1] not in "lsz":  # noqa: PLR2004 - a length of English words
        return stem[:-1]
    return stem + "e" if _FROM_SILENT_E.fullmatch(stem) else stem


_UNITS: Final = {form: unit for word, unit in known.UNITS.items() for form in (word, _stem(word))}
_UNIT_NAMES: Final = frozenset(known.UNITS.values())
_SAME: Final = {_stem(word): _stem(one) for word, one in known.SAME.items()}
