"""Which of the backends of one priority is asked first: one file a strategy, each a plain function.

strategy(members, call, now, dice) -> the same members, in the order in which they are to be asked
"""
