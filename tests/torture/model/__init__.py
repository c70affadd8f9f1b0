"""A model of what a sync does with an engine, small enough that millions of its steps are explored at random.

It is the specification of `docs/sync.md` in a form that runs: `rules` says what a worker does, `engine` what an
engine does, and `world` is everything that goes wrong around them.
"""
