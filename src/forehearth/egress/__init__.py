"""The second way out: to addresses that callers name. Everything else that dials is in `transport/`."""
