"""Chat completions that a caller asked to have stored: put together, kept, found again."""
