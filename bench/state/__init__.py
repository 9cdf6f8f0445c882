"""What it costs to keep state: the parts of `bench.responses_cost` and `bench.conversations_cost`."""
