"""The queries of a search: parsed when they come, compiled to SQL for each index that is searched."""

from connectors.engine.embedded.query import compound, match, simple, terms
from connectors.engine.embedded.query.clause import Clause, Query, Scope, parse_query

# A kind of query is one function in one of these files, which its decorator registers.
KINDS = (compound, match, simple, terms)

__all__ = ["KINDS", "Clause", "Query", "Scope", "parse_query"]
