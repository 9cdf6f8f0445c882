"""What a semantic cache finds, what it wrongly gives, and what a look-up costs: see `bench.semantic_cache`."""
