"""The catalog of Oracle: three questions to its dictionary, asked with the schema as `:v_group`."""

from typing import Final

JSON_TEXT: Final = "IS JSON"
"""What a column is declared as that takes nothing but JSON, as a text or as bytes."""
OTHER_CHARACTERS: Final = " in other characters"
"""Behind a type of texts that are not found again by what was read of them, or that compare in a way of their own."""
TABLES: Final = """
SELECT t.TABLE_NAME, CASE WHEN m.CONTAINER_NAME IS NULL THEN 0 ELSE 1 END, t.NUM_ROWS
FROM ALL_TABLES t LEFT JOIN ALL_MVIEWS m ON m.OWNER = t.OWNER AND m.CONTAINER_NAME = t.TABLE_NAME
WHERE t.OWNER = :v_group AND t.DROPPED = 'NO' AND t.NESTED = 'NO' AND t.SECONDARY = 'N' AND t.TEMPORARY = 'N'
    AND (t.IOT_TYPE IS NULL OR t.IOT_TYPE = 'IOT')
    AND NOT EXISTS (SELECT 1 FROM ALL_MVIEW_LOGS l WHERE l.LOG_OWNER = t.OWNER AND l.LOG_TABLE = t.TABLE_NAME)
UNION ALL SELECT v.VIEW_NAME, 1, NULL FROM ALL_VIEWS v WHERE v.OWNER = :v_group"""
"""Tables without those that belong to another one, or are in the recycle bin, or hold what each session has alone.

A materialized view is a table too, and found as a view.
"""
_DECLARED: Final = """CASE
    WHEN j.COLUMN_NAME IS NOT NULL AND c.DATA_TYPE <> 'JSON' THEN '{json}'
    WHEN c.DATA_TYPE = 'XMLTYPE' THEN c.DATA_TYPE
    WHEN c.DATA_TYPE_OWNER IS NOT NULL THEN 'OBJECT'
    WHEN c.DATA_TYPE = 'NUMBER' THEN 'NUMBER(' || c.DATA_PRECISION || ',' || c.DATA_SCALE || ')'
    WHEN c.CHARACTER_SET_NAME = 'CHAR_CS' AND (
        SELECT p.VALUE FROM NLS_DATABASE_PARAMETERS p WHERE p.PARAMETER = 'NLS_CHARACTERSET') NOT IN (
        'AL32UTF8', 'UTF8', 'US7ASCII', 'WE8ISO8859P1', 'WE8ISO8859P15', 'WE8MSWIN1252')
        THEN c.DATA_TYPE || '{other}'
    WHEN c.CHARACTER_SET_NAME = 'NCHAR_CS' AND (
        SELECT p.VALUE FROM NLS_DATABASE_PARAMETERS p WHERE p.PARAMETER = 'NLS_CHARACTERSET') NOT IN (
        'AL32UTF8', 'UTF8') THEN c.DATA_TYPE || '{other}'
    {collated}
    ELSE c.DATA_TYPE END"""
"""Values are given in the characters of the database, which may lack those of an NVARCHAR2."""
_COLLATED: Final = f"""WHEN c.COLLATION NOT IN ('BINARY', 'USING_NLS_COMP') THEN c.DATA_TYPE || '{OTHER_CHARACTERS}'"""
_OF_THE_SCHEMA: Final = """
    WHEN EXISTS (SELECT 1 FROM SESSION_SCHEMA_PRIVS s
        WHERE s.SCHEMA = :v_group AND s.PRIVILEGE IN ('SELECT ANY TABLE', 'READ ANY TABLE')) THEN 1"""
_COLUMNS: Final = """
SELECT c.TABLE_NAME, c.COLUMN_NAME, {declared}, CASE c.NULLABLE WHEN 'N' THEN 0 ELSE 1 END, CASE
    WHEN c.DATA_TYPE_MOD = 'REF' OR c.DATA_TYPE IN ('ANYDATA', 'ANYDATASET', 'ANYTYPE') THEN 0
    WHEN c.OWNER = USER OR g.TABLE_NAME IS NOT NULL THEN 1
    WHEN EXISTS (SELECT 1 FROM SESSION_PRIVS s
        WHERE s.PRIVILEGE IN ('SELECT ANY TABLE', 'READ ANY TABLE')) THEN 1{of_the_schema}
    ELSE 0 END
FROM ALL_TAB_COLS c
LEFT JOIN (SELECT DISTINCT TABLE_NAME, COLUMN_NAME FROM ALL_JSON_COLUMNS WHERE OWNER = :v_group) j
    ON j.TABLE_NAME = c.TABLE_NAME AND j.COLUMN_NAME = c.COLUMN_NAME
LEFT JOIN (SELECT DISTINCT TABLE_NAME FROM ALL_TAB_PRIVS
    WHERE TABLE_SCHEMA = :v_group AND PRIVILEGE IN ('SELECT', 'READ')) g ON g.TABLE_NAME = c.TABLE_NAME
WHERE c.OWNER = :v_group AND c.HIDDEN_COLUMN = 'NO'
ORDER BY c.TABLE_NAME, c.COLUMN_ID"""
"""A column that no driver can read is not there: a reference to an object, and values of any type.

Views of the dictionary are slow, so each is asked once, and not for each column.
"""
_LONG: Final = """
    LEFT JOIN (SELECT DISTINCT TABLE_NAME FROM ALL_TAB_COLS
        WHERE OWNER = :v_group AND DATA_TYPE IN ('LONG', 'LONG RAW')) l ON l.TABLE_NAME = {alias}.TABLE_NAME"""
_WHOLE: Final = """CASE
        WHEN i.INDEX_TYPE LIKE '%/REV' OR i.VISIBILITY = 'INVISIBLE' OR l.TABLE_NAME IS NOT NULL THEN 0 ELSE 1 END"""
_KEYS: Final = """
SELECT k.TABLE_NAME, k.INDEX_NAME, k.IS_PRIMARY, k.COLUMN_NAME, k.IS_WHOLE, k.IS_DESCENDING FROM (
    SELECT c.TABLE_NAME, COALESCE(c.INDEX_NAME, c.CONSTRAINT_NAME) AS INDEX_NAME,
        CASE c.CONSTRAINT_TYPE WHEN 'P' THEN 1 ELSE 0 END AS IS_PRIMARY, p.COLUMN_NAME, p.POSITION,
        {whole} AS IS_WHOLE, 0 AS IS_DESCENDING
    FROM ALL_CONSTRAINTS c
    JOIN ALL_CONS_COLUMNS p ON p.OWNER = c.OWNER AND p.CONSTRAINT_NAME = c.CONSTRAINT_NAME
        AND p.TABLE_NAME = c.TABLE_NAME
    LEFT JOIN ALL_INDEXES i ON i.OWNER = COALESCE(c.INDEX_OWNER, c.OWNER) AND i.INDEX_NAME = c.INDEX_NAME
        AND i.TABLE_OWNER = c.OWNER AND i.TABLE_NAME = c.TABLE_NAME{long_of_c}
    WHERE c.OWNER = :v_group AND c.CONSTRAINT_TYPE IN ('P', 'U') AND c.STATUS = 'ENABLED' AND c.VALIDATED = 'VALIDATED'
    UNION ALL
    SELECT i.TABLE_NAME, i.INDEX_NAME, 0, x.COLUMN_NAME, x.COLUMN_POSITION, {whole},
        CASE x.DESCEND WHEN 'DESC' THEN 1 ELSE 0 END
    FROM ALL_INDEXES i
    JOIN ALL_IND_COLUMNS x ON x.INDEX_OWNER = i.OWNER AND x.INDEX_NAME = i.INDEX_NAME{long_of_i}
    WHERE i.TABLE_OWNER = :v_group AND i.TABLE_TYPE = 'TABLE' AND i.UNIQUENESS = 'UNIQUE'
        AND i.STATUS IN ('VALID', 'N/A') AND NOT EXISTS (SELECT 1 FROM ALL_CONSTRAINTS c
            WHERE c.OWNER = i.TABLE_OWNER AND c.TABLE_NAME = i.TABLE_NAME AND c.INDEX_NAME = i.INDEX_NAME
                AND c.CONSTRAINT_TYPE IN ('P', 'U') AND c.STATUS = 'ENABLED' AND c.VALIDATED = 'VALIDATED')) k
ORDER BY k.TABLE_NAME, k.INDEX_NAME, k.POSITION"""
"""Keys that hold for all rows, and unique indices. A part that is an expression is a hidden column, and so none.

Rows of a table with a LONG are read in no pages, as no statement has both that and a number of rows; by an index whose
bytes are reversed they come in no order.
"""
KEYS: Final = _KEYS.format(whole=_WHOLE, long_of_c=_LONG.format(alias="c"), long_of_i=_LONG.format(alias="i"))


def columns(version: tuple[int, ...]) -> str:
    """Return the question about columns to a server of that version."""
    declared = _DECLARED.format(
        json=JSON_TEXT, other=OTHER_CHARACTERS, collated=_COLLATED if version >= (12, 2) else ""
    )
    return _COLUMNS.format(declared=declared, of_the_schema=_OF_THE_SCHEMA if version >= (23,) else "")
