"""The way of a request: whose resource, which surface, who calls, what is asked and may it be, and the reply.

    parts       what the way leads through
    arrival     decides on the head alone, before any body is read
    admitted    goes the rest of the way with the body, and is told how the call ended
    carrying    to the deployments that were asked for

What HTTP knows of it is in `ports.entrance`.
"""
