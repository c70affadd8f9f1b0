"""Reading only: whether what somebody wrote is one SELECT, since a session of SQL Server can't be one that only reads.

What it says is decided twice: by its words, as those that change something are reserved and can't be names without
brackets, and by its parts as a tree. What can't be understood is refused too.
"""

import re
from collections.abc import Sequence
from typing import Final

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError

_FORBIDDEN: Final = frozenset(
    (
        *("INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE", "INTO", "CREATE", "ALTER", "DROP", "GRANT", "REVOKE"),
        *("DENY", "EXEC", "EXECUTE", "BEGIN", "COMMIT", "ROLLBACK", "SAVE", "TRAN", "TRANSACTION", "DECLARE", "SET"),
        *("IF", "WHILE", "GOTO", "RETURN", "PRINT", "RAISERROR", "WAITFOR", "KILL", "SHUTDOWN", "BACKUP", "RESTORE"),
        *("DBCC", "BULK", "OPENROWSET", "OPENQUERY", "OPENDATASOURCE", "RECONFIGURE", "CHECKPOINT", "REVERT"),
        *("SETUSER", "WRITETEXT", "UPDATETEXT", "UPDLOCK", "XLOCK", "TABLOCKX"),
    )
)
"""Words that change something, keep others waiting, or leave this database."""
_UNSEEN: Final = re.compile(r"\r(?!\n)|[\0-\x08\x0b\x0c\x0e-\x1f\x85\u2028\u2029]")
"""What one reader may take for the end of a line, and of a comment, and another one not."""
_STRINGS: Final = frozenset({sqlglot.TokenType.STRING, sqlglot.TokenType.NATIONAL_STRING, sqlglot.TokenType.HEX_STRING})
_WRITES: Final = (exp.DML, exp.DDL, exp.Command, exp.Into, exp.Lock, exp.NextValueFor)


def objection(text: str) -> str | None:
    """Return what speaks against running a text: nothing where it is a single SELECT that only reads."""
    if _UNSEEN.search(text):
        return "it has characters that control something"
    try:
        tokens = sqlglot.tokenize(text, "tsql")
        statements = sqlglot.parse(text, "tsql", error_level=ErrorLevel.RAISE)
    except SqlglotError as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        return f"it can't be told that it only reads ({reason}): put it into a view, and select from that"
    if word := _word_of(text, tokens):
        return f"it has the word {word}, and may only read"
    tree = statements[0] if len(statements) == 1 else None
    if not isinstance(tree, exp.Query):
        return "it has to be a single SELECT"
    for one in tree.walk():
        if isinstance(one, _WRITES) and not isinstance(one, exp.Query):
            return f"it may only read, and this does more: {one.sql('tsql')}"
    return None


def _word_of(text: str, tokens: Sequence[sqlglot.Token]) -> str | None:
    """Return the first word that may not be there. A name in brackets or quotes is none."""
    for place, one in enumerate(tokens):
        word = one.text.upper()
        is_name = text[one.start] in '["' or one.token_type in _STRINGS
        if is_name or word not in _FORBIDDEN:
            continue
        behind = tokens[place + 1].text.upper() if place + 1 < len(tokens) else ""
        if word != "MERGE" or behind not in {"JOIN", "UNION"}:  # those are hints
            return word
    return None
