"""What the server keeps for its callers, each thing within its place."""
