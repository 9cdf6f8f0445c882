"""English, as far as the guards know it: which words may come and go, which are the same, and what they count.

What stands in no list here counts as it is: a word that nobody listed is never taken for harmless. So other languages,
names and terms have to be equal word by word.
"""

import re
from collections.abc import Mapping
from typing import Final


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


def _list(words: str) -> list[str]:
    return words.split()


_WH: Final = "what|which|who|whom|whose|when|where|why|how|if|whether"
_SOMEBODY: Final = "i|we|you|one|someone|somebody|people"
_ASKED_OF_US: Final = (
    "explain|describe|remind|translate|summarise|summarize|convert|calculate|list|give|write|show|tell|define|compare"
    "|recommend|suggest"
)
_BEST: Final = "best|right|proper|correct|usual"
_WAY: Final = "way|ways|step|steps|procedure|process|method|command|setting"
_QUANTITY: Final = (
    "many|much|long|far|old|often|frequently|tall|high|fast|quickly|big|large|heavy|deep|wide|hot|cold|late|soon|dense"
)
_ASKING: Final = "is|are|do|does|did|can|will|was|should|must"
_AFTER_DOING: Final = "with|for|about|to|in|on|at|after|before|if|when"
_SPANS: Final = "day|week|month|year|quarter|morning|afternoon|evening|night|season|century"

FRAMES: Final = tuple(
    (_set(words), re.compile(pattern), into)
    for words, pattern, into in (
        # what is only polite
        ("hi hello hey", r"^(?:hi|hello|hey)(?: there)? , ", ""),
        ("please", r"\bplease\b ?", ""),
        ("tell show", rf"\b(?:can|could|would|will) you (?:tell|show) me (?={_WH})", ""),
        ("tell show", rf"\b(?:tell|show) me (?={_WH})", ""),
        ("know", rf"\b(?:do you|can anyone|does anyone) know (?={_WH})", ""),
        ("know", rf"\bi (?:would like|want|need) to know (?={_WH})", ""),
        ("you", rf"\b(?:can|could|would|will) you (?={_ASKED_OF_US})", ""),
        # in how many ways one asks how
        ("how", r"\bhow come\b", "?why"),
        ("how", rf"\bhow ({_QUANTITY})\b", r"?how-\1"),
        ("how", rf"\bhow (?:do|does|can|could|should|would|might|may|must) (?:{_SOMEBODY})\b", "?how"),
        ("how", r"\bhow to\b", "?how"),
        ("what", rf"\bwhat (?:is|are) (?:the |a |my )?(?:(?:{_BEST}) )?(?:{_WAY}) (?:to|for|of)\b", "?how"),
        ("way", r"\bis there (?:a|any) way to\b", "?how"),
        ("what", rf"\bwhat (?:do|should|must) (?:{_SOMEBODY}) (?:have to |need to )?do to\b", "?how"),
        ("calculate compute work", r"^(?:calculate|compute|work out) ", "?what "),
        ("cost", r"\bwhat (?=(?:do|does|did) [^.?!]{1,80} cost\b)", "?how-much "),
        # and the rest
        ("time", rf"\b(?:at )?(?:what|which) time (?=(?:{_ASKING})\b)", "?when "),
        ("reason reasons", r"\bwhat (?:is|are|was|were) the reasons? (?:that|why|for)\b", "?why"),
        ("what which", r"\b(?:what|which)\b", "?what"),
        ("who whom", r"\b(?:who|whom)\b", "?who"),
        ("whose when where why how", r"(?<!\?)\b(whose|when|where|why|how)\b", r"?\1"),
        ("to", r"\b(?:is it|am i|are we) (?:possible|allowed|able|permitted) to\b", "?can"),
        ("able", r"\bable to\b", "?can"),
        ("to", r"\b(?:have|has|need|needs) to\b", "?must"),
        ("can could may might", r"(?<!\?)\b(?:can|could|may|might)\b", "?can"),
        ("must should would", r"(?<!\?)\b(must|should|would)\b", r"?\1"),
        ("was were", r"\b(?:was|were)\b", "?was"),
        ("did had", r"\b(?:did|had)\b", "?past"),
        ("will shall going", r"\b(?:will|shall|going to)\b", "?future"),
        ("it", r"^is it (\w+) to ([^.?!]+)", r"is \2\1 "),
        ("what which", r"\?what (\w+) (is|are) the (\w+est|most \w+|least \w+)\b", r"?what \2 the \3 \1"),
        ("must have has need needs", r"^(\?(?:how|what|when|where)\b.*)\?must\b", r"\1?should"),
        # what is one thing in two words, or one word for two things
        ("do", rf"\bdo(?= (?:[.?!]|(?:{_AFTER_DOING})\b)|$)", "act"),
        ("this that", rf"\b(this|that) ({_SPANS})\b", r"\1-\2"),
        ("am", r"(?<=\d) am\b", " a.m"),
        ("on", r"\b(?:turn|switch) on\b", "enable"),
        ("off", r"\b(?:turn|switch) off\b", "disable"),
        ("turn", r"\bturn (?=[^.?!]{1,80} into\b)", "convert "),
        ("log sign", r"\b(?:log|sign) (in|out)\b", r"log\1"),
        ("no", r"\bwith no\b", "without"),
        ("cent", r"\bper cent\b", "percent"),
        ("order", r"\bin order to\b", "to"),
        ("mail", r"\be (?:- )?mail\b", "email"),
        ("fi", r"\bwi (?:- )?fi\b", "wifi"),
    )
)
"""Forms of asking, in this order: the words of which a message has one, the form in a line of words in small letters,
and what stands for it. What is asked becomes a mark that begins with ?, wherever it stands."""

YES_OR_NO: Final = _set("is are am do does has have ?can ?must ?should ?would ?was ?past ?future")
"""A sentence that begins with one of these asks for a yes or a no."""

MANNERS: Final = _set("?can ?must ?should ?would ?was ?past ?future")
"""Marks whose place in a sentence says nothing."""

HELD_BY: Final = _set("what who where when why how it that there here he she")
"""After these, 's is a form of to be; after all others it says whose something is."""

SHORT: Final[Mapping[str, str]] = {
    "n't": "not",
    "'re": "are",
    "'m": "am",
    "'ll": "will",
    "'ve": "have",
    "'d": "would",
}

FIRST_PERSON: Final = _set("i me my mine we us our ours")
SECOND_PERSON: Final = _set("you your yours")

PREPOSITIONS: Final[Mapping[str, str]] = {word: word for word in _list("in on at for to with as")} | {"into": "to"}
"""These may come and go, but not stand for each other: work for somebody, work with somebody."""
VERBS: Final[Mapping[str, str]] = {
    form: verb
    for verb, forms in (("be", "is are am be been being"), ("do", "do does"), ("have", "have has got"))
    for form in forms.split()
}
"""These may come and go in a sentence that has enough other words to say what is meant."""
DROPPED: Final = (
    _set("a an the this that these those and some any it its there just really actually 's of")
    | FIRST_PERSON
    | SECOND_PERSON
    | PREPOSITIONS.keys()
    | VERBS.keys()
)
"""Words that may come and go. Not among them is what turns a meaning round: from, by, off, out, without, or, than, …"""

BETWEEN: Final = DROPPED | _set(
    "by from onto out off over under above below before after between without within during through since until "
    "against near behind than or but if because ' . , ; : ! ? ( ) [ ] / & + = < >"
)
"""Where a group of words ends that belong together, such as the ones before and after `of`."""

NOT: Final = _set("not no never none nobody nothing neither nor nowhere non")

SAME: Final[Mapping[str, str]] = {
    word: group.split()[0]
    for group in (
        # everyday words
        "begin start commence",
        "end finish",
        "delete remove erase",
        "fix repair",
        "buy purchase",
        "big large",
        "enable activate",
        "disable deactivate",
        "reserve book",
        "create make",
        "choose select pick",
        "increase raise",
        "decrease reduce",
        "enlarge magnify",
        "happen occur",
        "hard difficult",
        "easy simple",
        "fast quick rapid",
        "allowed permitted",
        "forbidden banned prohibited",
        "often frequently",
        "closest nearest",
        "sick ill",
        "child kid",
        "doctor physician",
        "sofa couch",
        "flat apartment",
        "phone telephone",
        "lorry truck",
        "luggage baggage",
        "parcel package",
        "photo photograph picture",
        "television tv",
        "car automobile",
        "bicycle bike",
        "fridge refrigerator",
        "tap faucet",
        "folder directory",
        "maximum max",
        "required needed",
        # two spellings
        "centre center",
        "colour color",
        "grey gray",
        "tyre tire",
        "licence license",
        "neighbour neighbor",
        "favourite favorite",
        "programme program",
        "organise organize",
        "analyse analyze",
        "aluminium aluminum",
        "travelling traveling",
    )
    for word in group.split()
}
"""From a word to the one that stands for it and its like."""

UNITS: Final[Mapping[str, str]] = {
    word: group.split()[0]
    for group in (
        "km kilometre kilometer kms",
        "m metre meter",
        "cm centimetre centimeter",
        "mm millimetre millimeter",
        "mile mi",
        "yard yd",
        "foot feet ft",
        "inch inche",
        "kg kilogram kilogramme kilo",
        "g gram gramme",
        "mg milligram",
        "pound lb lbs",
        "ounce oz",
        "tonne",
        "l litre liter",
        "ml millilitre milliliter",
        "gallon gal",
        "pint",
        "cup",
        "tablespoon tbsp",
        "teaspoon tsp",
        "second sec",
        "minute min",
        "hour hr hrs",
        "day",
        "week",
        "month",
        "year yr",
        "a.m",
        "p.m pm",
        "bit",
        "byte",
        "kb kilobyte",
        "mb megabyte",
        "gb gigabyte",
        "tb terabyte",
        "celsius centigrade",
        "fahrenheit",
        "kelvin",
        "degree \u00b0",
        "percent %",
        "euro \u20ac eur",
        "dollar $ usd",
        "sterling \u00a3 gbp",
        "yen \u00a5 jpy",
        "joule",
        "calorie",
        "volt",
        "watt",
        "kw kilowatt",
        "kwh",
        "hertz hz",
        "line",
        "page",
    )
    for word in group.split()
}
"""What is counted, by every name that it has."""

MONTHS: Final[Mapping[str, int]] = {
    name: number
    for number, names in enumerate(
        (
            "january jan",
            "february feb",
            "march",
            "april apr",
            "may",
            "june jun",
            "july jul",
            "august aug",
            "september sep sept",
            "october oct",
            "november nov",
            "december dec",
        ),
        1,
    )
    for name in names.split()
}
ALSO_WORDS: Final = frozenset({"may", "march", "august", "mar"})
"""Names of months only where they are written like names."""

DAYS: Final = _set(
    "monday tuesday wednesday thursday friday saturday sunday today tomorrow yesterday tonight morning afternoon "
    "evening night noon midnight spring summer autumn winter weekend weekday quarter"
)

SMALL: Final[Mapping[str, int]] = {
    word: number
    for number, word in enumerate(
        _list(
            "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
            "seventeen eighteen nineteen"
        )
    )
} | {word: 10 * number for number, word in enumerate(_list("twenty thirty forty fifty sixty seventy eighty ninety"), 2)}
LARGE: Final[Mapping[str, int]] = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
ORDINALS: Final[Mapping[str, int]] = {
    word: number
    for number, word in enumerate(_list("first second third fourth fifth sixth seventh eighth ninth tenth"), 1)
}
PAST: Final[Mapping[str, str]] = dict(
    pair.split("/")
    for pair in _list(
        "began/begin broke/break broken/break brought/bring built/build bought/buy caught/catch chose/choose "
        "chosen/choose came/come drove/drive driven/drive ate/eat eaten/eat fell/fall fallen/fall felt/feel found/find "
        "flew/fly flown/fly forgot/forget forgotten/forget gave/give given/give went/go gone/go grew/grow grown/grow "
        "heard/hear held/hold kept/keep knew/know known/know led/lead lent/lend lost/lose made/make meant/mean "
        "met/meet paid/pay ran/run said/say sang/sing sank/sink sunk/sink saw/see seen/see sent/send sold/sell "
        "shown/show slept/sleep spoke/speak spoken/speak spent/spend stole/steal stolen/steal swam/swim taken/take "
        "took/take taught/teach thought/think threw/throw thrown/throw told/tell understood/understand won/win "
        "wore/wear worn/wear wrote/write written/write"
    )
)
"""Forms of the past that do not end in -ed, and what they are forms of."""
IRREGULAR: Final[Mapping[str, str]] = {
    "men": "man",
    "women": "woman",
    "children": "child",
    "people": "person",
    "feet": "foot",
    "teeth": "tooth",
    "mice": "mouse",
    "geese": "goose",
    "lives": "life",
    "knives": "knife",
    "wives": "wife",
    "leaves": "leave",
    "bacteria": "bacterium",
    "viruses": "virus",
    "morning": "morning",
    "evening": "evening",
    "during": "during",
    "something": "something",
    "anything": "anything",
    "everything": "everything",
} | {
    word: word
    for word in _list("arms clothes customs glasses goods means news pants savings series shorts species works")
}
"""Plurals that have no -s, and words that have an ending and are no form of another word."""
