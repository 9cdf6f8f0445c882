"""Classic agents: assistants that answer threads in runs, each of which is a job that outlives its process.

kept       what is stored: assistants, threads, messages, runs and steps
threads    assistants, threads and messages
runs       runs from the side of those who ask for them
ending     how a run ends that its worker does not end
stream     the events of a run as they are sent
work       runs from the side of the worker
"""
