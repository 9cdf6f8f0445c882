"""Files that callers keep here: what is known of each, and where its bytes are."""
