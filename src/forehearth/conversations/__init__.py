"""Conversations: ordered items that outlast a call, for whoever reads or adds to them."""
