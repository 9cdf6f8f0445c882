"""The same table enriched by others: each module runs in an environment of its own, and needs nothing of ours."""
