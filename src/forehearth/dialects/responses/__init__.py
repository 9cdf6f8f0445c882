"""The Responses API as a wire format, and how it is carried by chat completions. No I/O.

asked      a body of `POST /responses`, read strictly
items      what a conversation consists of: messages, calls of functions and what these gave
agents     a question to an agent, whose version says what the request does not
templates  the places in an agent's texts, filled with values
tools      functions, and which of them the model may or must call
chat       a question of this format as one of chat completions
objects    a whole response, every documented member of it
chunks     an answer of chat completions, whole or as it streams
states     which events follow on what: one table
retold     the items of an answer from its events, to go on behind them
answer     from the one to the other, by that table
"""
