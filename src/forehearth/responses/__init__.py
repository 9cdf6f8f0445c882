"""Responses: questions that are answered through chat completions, and kept, so that the next one can go on from them.

caller     who asks, and what a call to a model needs of that
kept       what is stored of a response, and how a conversation is found again
questions  from a body to what a model is asked
run        a response that streams, and is stored when it ends
work       a response that is made in the background, by a worker
background the same, for those who wait for it
service    what can be done with responses
"""
