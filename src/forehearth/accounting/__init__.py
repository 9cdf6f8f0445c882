"""What is counted and kept of calls: budgets before them, what they used after."""
