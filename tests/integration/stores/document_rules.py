"""Documents of two tenants, by chance: what is kept is what a dict keeps, in the order in which it was made."""

from collections.abc import Mapping
from random import Random

import msgspec
from hypothesis.stateful import rule

from forehearth.core.document import Document
from forehearth.core.errors import Conflict, ForehearthError, InvalidField, NotFound, PreconditionFailed
from forehearth.core.place import Place
from forehearth.documents.repository import Documents, New, Order
from tests.integration.stores.machine import THING, StoreMachine, first, step

PLACES = (Place(resource="here"), Place(resource="there"))
IDS = tuple("abcde")
PARENTS = ("", "p")
METADATA: tuple[Mapping[str, str], ...] = ({}, {"k": "1"}, {"k": "2", "l": "1"})

LASTING = (*[None] * 6, 0, 1, 5, 20)
"""Seconds from now."""
ETAGS = ("any", "current", "stale")
FIRST = 12
"""Documents that are tried to be made before anything else."""

PAGES = 4
"""That are looked at in one step."""

_Key = tuple[Place, str]


class DocumentRules(StoreMachine):
    """What the repository does, and what becomes of the store below it."""

    def __init__(self) -> None:
        super().__init__()
        self._things = Documents(self.store, THING, new_id=str, clock=self.clock)
        self._kept: dict[_Key, Document] = {}
        """What the store has, as it returned it when it was written; expired ones too, until they are removed."""
        self._etags: dict[_Key, list[str]] = {}
        """Every etag that an id had, the newest last."""
        self._latest = 0
        """The greatest sequence."""
        self._bodies = 0

    @first
    def create_some(self, dice: Random) -> None:
        for _ in range(FIRST):
            self._create(dice)

    @step
    def create(self, dice: Random) -> None:
        self._create(dice)

    def _create(self, dice: Random) -> None:
        place, name, parent = dice.choice(PLACES), dice.choice(IDS), dice.choice(PARENTS)
        wanted, lasts = dice.choice(METADATA), dice.choice(LASTING)
        key = (place, name)
        taken, expired = self._is_there(key), key in self._kept
        now, body = self.clock.unix(), self._body()
        expires = None if lasts is None else now + lasts
        found = self.outcome(self._things.create(place, body, id=name, parent=parent, metadata=wanted, expires=expires))
        if taken:
            assert found is Conflict
            return
        made = self._written_as(
            found,
            Document(
                place=place,
                kind=THING,
                id=name,
                parent=parent,
                created=now,
                updated=now,
                metadata=wanted,
                body=body,
                expires=expires,
            ),
        )
        assert made.sequence > self._latest
        self._latest = made.sequence
        self.wrote(THING, "an expired one gave way" if expired else "created")

    @step
    def create_many(self, dice: Random) -> None:
        place, parent = dice.choice(PLACES), dice.choice(PARENTS)
        names = [dice.choice(IDS) for _ in range(dice.randint(1, 3))]
        new = [New(body=self._body(), id=name) for name in names]
        now = self.clock.unix()
        found = self.outcome(self._things.create_many(place, new, parent=parent))
        if len(set(names)) < len(names) or any(self._is_there((place, name)) for name in names):
            assert found is Conflict
            return
        assert not isinstance(found, type)
        for each, made in zip(new, found, strict=True):
            expected = Document(
                place=place, kind=THING, id=each.id, parent=parent, created=now, updated=now, body=each.body
            )
            assert self._written_as(made, expected).sequence > self._latest
            self._latest = made.sequence
        self.wrote(THING, "several at once" if len(new) > 1 else "created")

    @step
    def get(self, dice: Random) -> None:
        key = self._some(dice)
        found = self.outcome(self._things.get(*key))
        assert found == (self._kept[key] if self._is_there(key) else NotFound)

    @step
    def replace(self, dice: Random) -> None:
        place, name = key = self._some(dice)
        etag, lasts, now = dice.choice(ETAGS), dice.choice(LASTING), self.clock.unix()
        changed = Document(
            place=place,
            kind="whatever",
            id=name,
            parent=dice.choice(PARENTS),
            created=now,
            updated=0,
            metadata=dice.choice(METADATA),
            body=self._body(),
            expires=None if lasts is None else now + lasts,
        )
        found = self.outcome(self._things.update(changed, etag=self._etag(key, etag)))
        if self._refused(key, etag, found):
            return
        before = self._kept[key]
        made = self._written_as(
            found, msgspec.structs.replace(changed, kind=THING, created=before.created, updated=now)
        )
        assert made.sequence == before.sequence
        self.wrote(THING, "replaced")

    @step
    def delete(self, dice: Random) -> None:
        key, etag = self._some(dice), dice.choice(ETAGS)
        found = self.outcome(self._things.delete(*key, etag=self._etag(key, etag)))
        if self._refused(key, etag, found):
            return
        assert found is None
        del self._kept[key]
        self.wrote(THING, "deleted")

    @step
    def page(self, dice: Random) -> None:
        for _ in range(PAGES):
            self._page(dice)

    def _page(self, dice: Random) -> None:
        place, limit, newest_first = dice.choice(PLACES), dice.randint(1, 3), dice.random() < 0.5
        after, before = self._bounds(dice, place, newest_first=newest_first)
        parent, wanted = dice.choice((*[None] * 6, *PARENTS)), dice.choice((*[{}] * 5, *METADATA))
        order = Order(limit=limit, newest_first=newest_first, after=after, before=before)
        found = self.outcome(self._things.list(place, order, parent=parent, metadata=wanted))
        if any(bound is not None and (place, bound) not in self._kept for bound in (after, before)):
            assert found is InvalidField
            return
        listed = self._between(place, order)
        fitting = [
            each
            for each in listed
            if self._is_there((place, each.id))
            and parent in (None, each.parent)
            and wanted.items() <= each.metadata.items()
        ]
        expected = fitting[-limit:] if before is not None else fitting[:limit]
        assert not isinstance(found, type)
        assert (list(found.documents), found.has_more) == (expected, len(fitting) > limit)
        self.seen["a page with more"] += found.has_more
        self.seen["a page between two"] += None not in (after, before) and bool(expected)

    @step
    def page_there_and_back(self, dice: Random) -> None:
        place, limit, newest_first = dice.choice(PLACES), dice.randint(1, 3), dice.random() < 0.5
        listed = [
            each for each in self._between(place, Order(newest_first=newest_first)) if self._is_there((place, each.id))
        ]
        there, back = self.run(self._walk(place, limit, newest_first=newest_first))
        assert there == listed
        assert back == listed[:-1]
        self.seen["several pages"] += len(listed) > limit

    @step
    def wait(self, dice: Random) -> None:
        self.run(self.clock.advance(dice.choice((1, 1, 1, 5, 5, 20))))

    @step
    def sweep(self, dice: Random) -> None:
        limit, now = dice.randint(1, 3), self.clock.unix()
        ends = {key: each.expires for key, each in self._kept.items() if each.expires is not None}
        due = {key: end for key, end in ends.items() if end <= now}
        count = self.run(self._things.sweep(limit))
        assert count == min(limit, len(due))
        left = {(each.place, each.id) for each in self.run(self.store.of_all_places(THING))}
        gone = self._kept.keys() - left
        assert len(gone) == count
        assert gone <= due.keys()
        assert max((due[key] for key in gone), default=0) <= min((due[key] for key in due.keys() - gone), default=now)
        for key in gone:
            del self._kept[key]
            self.wrote(THING, "swept")

    @rule()
    def look_over_all(self) -> None:
        found = self.run(self.store.of_all_places(THING))
        assert found == sorted(self._kept.values(), key=lambda each: each.sequence)

    def _some(self, dice: Random, *where: Place) -> _Key:
        """One that is kept, mostly."""
        kept = [key for key in self._kept if key[0] in (where or PLACES)]
        return dice.choice(kept) if kept and dice.random() < 0.7 else (dice.choice(where or PLACES), dice.choice(IDS))

    def _bounds(self, dice: Random, place: Place, *, newest_first: bool) -> tuple[str | None, str | None]:
        """None, one or two, these often with something between them."""
        names = [each.id for each in self._between(place, Order(newest_first=newest_first))]
        if len(names) > 1 and dice.random() < 0.3:
            first, last = sorted(dice.sample(range(len(names)), 2))
            return names[first], names[last]
        after, before = (self._some(dice, place)[1] if dice.random() < 0.4 else None for _ in range(2))
        return after, before

    def _is_there(self, key: _Key) -> bool:
        """Whether it is kept and has not expired."""
        kept = self._kept.get(key)
        return kept is not None and (kept.expires is None or kept.expires > self.clock.unix())

    def _written_as(self, found: Document | type[ForehearthError], expected: Document) -> Document:
        """Keep what was written, which is as expected but for what the store gives: a sequence, and a new etag."""
        assert isinstance(found, Document)
        assert found == msgspec.structs.replace(expected, sequence=found.sequence, etag=found.etag)
        key = (found.place, found.id)
        had = self._etags.setdefault(key, [])
        assert found.etag
        assert found.etag not in had
        had.append(found.etag)
        self._kept[key] = found
        return found

    def _etag(self, key: _Key, which: str) -> str | None:
        had = self._etags.get(key, [])
        return {"any": None, "current": had[-1] if had else "1", "stale": had[-2] if len(had) > 1 else "x"}[which]

    def _refused(self, key: _Key, etag: str, found: object) -> bool:
        """Whether a write has to be refused; then it was, and rightly."""
        if not self._is_there(key):
            assert found is NotFound
        elif etag == "stale":
            assert found is PreconditionFailed
        else:
            return False
        return True

    def _between(self, place: Place, order: Order) -> list[Document]:
        """What is kept in a place between two bounds, in order, expired or not."""
        mine = sorted((each for each in self._kept.values() if each.place == place), key=lambda each: each.sequence)
        listed = mine[::-1] if order.newest_first else mine
        names = [each.id for each in listed]
        begin = 0 if order.after is None else names.index(order.after) + 1
        return listed[begin:] if order.before is None else listed[begin : names.index(order.before)]

    async def _walk(self, place: Place, limit: int, *, newest_first: bool) -> tuple[list[Document], list[Document]]:
        """A whole list by pages, and by pages from its last one back to its first."""
        there: list[Document] = []
        after, more = None, True
        while more:
            page = await self._things.list(place, Order(limit=limit, newest_first=newest_first, after=after))
            there += page.documents
            assert len(there) <= len(IDS), "it goes round"
            after, more = page.last_id, page.has_more
        back: list[Document] = []
        before, more = after, after is not None
        while more:
            page = await self._things.list(place, Order(limit=limit, newest_first=newest_first, before=before))
            back = [*page.documents, *back]
            assert len(back) <= len(IDS), "it goes round"
            before, more = page.first_id, page.has_more
        return there, back

    def _body(self) -> bytes:
        self._bodies += 1
        return b"%d" % self._bodies
