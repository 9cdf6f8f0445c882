"""Where things are kept, each kind of store behind the same ports."""
