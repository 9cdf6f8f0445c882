"""The Assistants API, which Foundry's classic agents speak: its objects, its bodies, and its events.

objects   assistants, threads, messages, runs and steps, as they are shown and kept
states    what moves a run from one status to the next
tools     functions, choices among them, and forms of answers
asked     bodies of requests
chat      what a model is asked in a run
answer    from a model's answer to messages, steps and events
"""
