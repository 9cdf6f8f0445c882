"""What happens around a call, each layer a callable around the next: `async (call, proceed) -> reply`."""
