"""Tables in, model columns out. The core knows Arrow and nothing of engines; it asks by our own transport."""
