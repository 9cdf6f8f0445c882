"""What is known of the hosts behind a model's name, before one of them is chosen."""

from typing import Protocol


class Hosts(Protocol):
    """Knows a resource's deployments and routes. A name that is none of them leads to no host."""

    def has_responses(self, name: str) -> bool:
        """Whether one that it can lead to has the Responses API itself, and is asked by it."""
        ...

    def fetches_images(self, name: str) -> bool:
        """Whether images by their address are to be fetched for one that it can lead to, because it does not."""
        ...
