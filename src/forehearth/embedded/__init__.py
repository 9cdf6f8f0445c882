"""The small models Forehearth brings itself, and the host that speaks the OpenAI dialect for them."""
