"""What is found of each question among all that are kept, at every threshold, with the guards and without."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.semantic.questions import Group, Question
from forehearth.caching.answers import Answer
from forehearth.caching.cache import Asked
from forehearth.caching.exact import Entry
from forehearth.caching.fingerprint import Question as AskedQuestion
from forehearth.caching.scope import Scope
from forehearth.caching.semantic import SemanticIndex

THRESHOLDS = tuple(round(0.01 * step, 2) for step in range(41))
_FAR = 1.0
_SCOPE = Scope(project="")

Vectors = Mapping[str, Sequence[float]]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A question, and the nearest answer that it may be given: how far away, and whether it is the right one."""

    question: Question
    tuned: bool
    plain: float
    """Of the nearest, whatever the guards say."""
    plain_right: bool
    guarded: float
    """Of the nearest that the guards let pass; infinite for none."""
    guarded_right: bool


@dataclass(frozen=True, kw_only=True)
class Count:
    """Of some questions at one threshold."""

    threshold: float
    paraphrases: int
    hits: int
    """Paraphrases that were given the right answer."""
    wrong: int
    """Questions of all kinds that were given a wrong one."""

    @property
    def hit_rate(self) -> float:
        """The share of paraphrases that had the right answer."""
        return self.hits / self.paraphrases

    @property
    def wrong_share(self) -> float:
        """The share of wrong answers among all that were given."""
        given = self.hits + self.wrong
        return self.wrong / given if given else 0.0


def outcomes(groups: Sequence[Group], vectors: Vectors) -> list[Outcome]:
    """What becomes of every question that is asked while all those that are kept are there."""
    index, entries = SemanticIndex(), []
    for number, group in enumerate(groups):
        entry = Entry(scope=_SCOPE, exact=b"%d" % number, answer=Answer(headers=(), made=1.0), size=0)
        index.add(entry, _asked(group.kept, vectors))
        entries.append(entry)
    kept = np.array([vectors[group.kept.text] for group in groups], np.float32)
    found = []
    for number, group in enumerate(groups):
        for question in group.asked:
            distances = 1.0 - kept @ np.array(vectors[question.text], np.float32)
            nearest = int(distances.argmin())
            given = index.find(_SCOPE, _asked(question, vectors), within=_FAR, since=0.0)
            found.append(
                Outcome(
                    question=question,
                    tuned=group.was_tuned_on,
                    plain=float(distances[nearest]),
                    plain_right=nearest == number and not question.is_trap,
                    guarded=given.score if given.entry is not None and given.score is not None else math.inf,
                    guarded_right=given.entry is entries[number] and not question.is_trap,
                )
            )
    return found


def counted(found: Sequence[Outcome], threshold: float, *, guarded: bool) -> Count:
    """The same at one threshold."""
    given = [
        (each.guarded_right if guarded else each.plain_right)
        for each in found
        if (each.guarded if guarded else each.plain) <= threshold
    ]
    return Count(
        threshold=threshold,
        paraphrases=sum(not each.question.is_trap for each in found),
        hits=sum(given),
        wrong=len(given) - sum(given),
    )


def _asked(question: Question, vectors: Vectors) -> Asked:
    return Asked(question=AskedQuestion(context=b"", message=question.text), vector=vectors[question.text])
