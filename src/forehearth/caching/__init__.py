"""What was answered before: how calls are told apart, what is kept of answers, and how it is found again. No I/O."""
