"""A fair queue: turns go round among tenants, and each tenant's own calls keep their order."""

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Turns(Generic[Item]):
    """Who waits. A tenant that comes anew is behind those who wait already, and before their second calls."""

    __slots__ = ("_lines", "_size")

    def __init__(self) -> None:
        self._lines: OrderedDict[str, deque[Item]] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Item]:
        """In the order of their turns."""
        lines = [deque(line) for line in self._lines.values()]
        while lines:
            yield from (line.popleft() for line in lines)
            lines = [line for line in lines if line]

    def length(self, tenant: str) -> int:
        """How many calls of one tenant wait."""
        line = self._lines.get(tenant)
        return 0 if line is None else len(line)

    def add(self, tenant: str, item: Item) -> None:
        """Wait, behind the tenant's other calls."""
        self._lines.setdefault(tenant, deque()).append(item)
        self._size += 1

    def served(self, tenant: str, item: Item) -> None:
        """It had its turn: the tenant's next one comes when all others had theirs."""
        self.remove(tenant, item)
        if tenant in self._lines:
            self._lines.move_to_end(tenant)

    def remove(self, tenant: str, item: Item) -> None:
        """It waits no longer."""
        line = self._lines[tenant]
        line.remove(item)
        self._size -= 1
        if not line:
            del self._lines[tenant]
