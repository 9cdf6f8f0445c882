"""Which rule a call falls to: conditions, counts of calls, and chances that can be repeated."""

import hashlib
import re
from collections import OrderedDict

import msgspec

from forehearth.providers.scripted import ScriptedSettings
from forehearth.providers.scripted_rules import MATCHED_CHARACTERS, Rule, When
from forehearth.transport.scripted.question import Question

_REMEMBERED = 16_384
"""Questions whose repetitions are counted; the one asked longest ago is forgotten first."""
_ECHO = Rule(echo=True)


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """What the script has for one call."""

    rule: Rule
    given: int
    """How many answers the rule has given before."""
    ident: str
    """Names this call in the answer's id: the same question asked for the same time has the same."""


class Script:
    """The rules of one backend, and what has been asked of it so far.

    Calls are counted when they arrive, so with calls at the same time it is their order of arrival that counts.
    """

    def __init__(self, settings: ScriptedSettings) -> None:
        self._rules = settings.rules
        self._patterns = [re.compile(rule.when.matches) if rule.when.matches else None for rule in settings.rules]
        self._seed = settings.seed
        self._by_call = settings.chance_by == "call"
        self._fitted = [0] * len(settings.rules)
        self._given = [0] * len(settings.rules)
        self._calls = 0
        self._asked: OrderedDict[bytes, int] = OrderedDict()

    def turn(self, question: Question) -> Turn:
        """What happens to the next call, which asks `question`."""
        self._calls += 1
        repetition = self._count(question.digest)
        fate = b"call %d" % self._calls if self._by_call else b"%d " % repetition + question.digest
        ident = hashlib.sha256(b"%d " % repetition + question.digest).hexdigest()[:24]
        chosen: int | None = None
        for index, rule in enumerate(self._rules):
            if not self._fits(index, rule.when, question):
                continue
            # Every rule counts every call that fits it, so what a rule does never changes another one's count.
            self._fitted[index] += 1
            if chosen is None and _due(rule.when, self._fitted[index]) and self._hit(index, rule.when, fate):
                chosen = index
        if chosen is None:
            return Turn(rule=_ECHO, given=0, ident=ident)
        given = self._given[chosen]
        self._given[chosen] += len(question.texts) * question.choices
        return Turn(rule=self._rules[chosen], given=given, ident=ident)

    def _fits(self, index: int, when: When, question: Question) -> bool:
        if when.operation not in (None, question.operation) or when.model not in (None, question.model):
            return False
        if when.stream not in (None, question.stream):
            return False
        if when.contains is not None and when.contains not in question.text:
            return False
        pattern = self._patterns[index]
        return pattern is None or pattern.search(question.text[:MATCHED_CHARACTERS]) is not None

    def _hit(self, index: int, when: When, fate: bytes) -> bool:
        if when.chance is None:
            return True
        drawn = hashlib.sha256(b"%d %d " % (self._seed, index) + fate).digest()
        return int.from_bytes(drawn[:8]) / 2**64 < when.chance

    def _count(self, digest: bytes) -> int:
        repetition = self._asked.pop(digest, 0) + 1
        self._asked[digest] = repetition
        if len(self._asked) > _REMEMBERED:
            self._asked.popitem(last=False)
        return repetition


def _due(when: When, number: int) -> bool:
    if when.every is not None and number % when.every:
        return False
    return (when.first is None or number <= when.first) and (when.after is None or number > when.after)
