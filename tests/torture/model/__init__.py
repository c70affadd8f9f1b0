"""A model of what a sync does with an engine, small enough that millions of its steps are explored at random.

It is the specification of `docs/sync.md` in a form that runs: `worker` is a sync, which obeys `rules` and leaves
records in the `store`, `engine` is what an engine does, and `world` is everything that goes wrong around them.
"""
