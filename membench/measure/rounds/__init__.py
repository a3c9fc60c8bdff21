"""The parent process's part of a round.

It starts worker processes, gives them the cases, and monitors the state of the machine.
"""
