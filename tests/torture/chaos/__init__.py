"""The chaos: real syncs on an embedded engine, held to the promises of the model under the same kind of disorder.

Everything that a sync asks of the outside waits at one gate, and a seed decides what goes on next, and what gets lost.
Time is virtual. So the same seed makes the same history.
"""
