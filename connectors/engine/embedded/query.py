"""The queries of a search: parsed when they come, compiled to SQL for each index that is searched."""

from connectors.engine.embedded import query_compound, query_match, query_simple, query_terms
from connectors.engine.embedded.clause import Clause, Query, Scope, parse_query

# A kind of query is one function in one of these files, which its decorator registers.
KINDS = (query_compound, query_match, query_simple, query_terms)

__all__ = ["KINDS", "Clause", "Query", "Scope", "parse_query"]
