"""The inbound HTTP border: bytes become a head and a body, and a reply becomes bytes."""
