"""That somebody was shown a secret, on its way to the audit log: whoever shows it waits until it is written there."""

from typing import Final

from forehearth.admin.recorder import Recorder
from forehearth.core.disclosure import Disclosure
from forehearth.core.errors import Overloaded

_SHOWN: Final = 200


class Disclosures(Recorder):
    """A `ports.disclosures.Disclosures`; until the audit log is open nothing is shown."""

    async def note(self, disclosure: Disclosure) -> None:
        """See `ports.disclosures`."""
        if not await self.write(disclosure, _SHOWN, disclosure.detail):
            raise Overloaded(
                "Credentials are shown only once that is written in the audit log, which cannot be written now.",
                retry_after=5.0,
            )
