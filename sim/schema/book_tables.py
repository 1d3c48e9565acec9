"""Reading the tables of a book into DuckDB, column by column, as the user wrote them."""

from __future__ import annotations

import csv
import glob
import re
from pathlib import Path

import duckdb

from sim.core.errors import BookError, Problem
from sim.schema.base import show
from sim.schema.names import nearest

COLUMNS: dict[str, dict[str, str]] = {
    "accounts": {
        "account_id": "text",
        "trader_id": "text",
        "clearer": "text",
        "margin_mode": "text",
    },
    "balances": {"account_id": "text", "asset": "text", "amount": "number"},
    "positions": {
        "account_id": "text",
        "venue": "text",
        "symbol": "text",
        "quantity": "number",
        "entry_price": "number",
    },
}
"""Columns of each table of a book and what they hold."""

_TEXT_TYPES = (
    "VARCHAR",
    "INTEGER",
    "ENUM",
    "BIGINT",
    "UBIGINT",
    "UUID",
    "HUGEINT",
    "NULL",
    "SMALLINT",
    "TINYINT",
    "UINTEGER",
    "USMALLINT",
    "UTINYINT",
)
_NUMBER_TYPES = (*_TEXT_TYPES, "DOUBLE", "FLOAT", "DECIMAL")


def quoted(text: str) -> str:
    """Return text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def read_table(connection: duckdb.DuckDBPyConnection, table: str, path: Path, file: str) -> None:
    """Create the DuckDB view `table` of a CSV or Parquet file.

    Its columns are those of the file as text, ``row``, which counts the rows from 0, and for each
    number a twin ``<column>_value``, which is NULL where the text is no number. A Parquet file
    stays where it is and each query reads the columns that it needs; a CSV file is read once.

    Raises
    ------
    BookError
        For a missing or unreadable file, and missing, extra or repeated columns.
    """
    ending = path.suffix.lower()
    if ending not in (".csv", ".parquet"):
        raise BookError(
            Problem(file, None, None, "file", f"the ending '{path.suffix}'", ".csv or .parquet")
        )
    if not path.is_file():
        found = "a folder" if path.is_dir() else "no such file"
        raise BookError(Problem(file, None, None, "file", found, "an existing file"))
    if path.stat().st_size == 0:
        raise BookError(
            Problem(
                file,
                None,
                None,
                "file",
                "an empty file",
                f"a table with columns {', '.join(COLUMNS[table])}",
            )
        )
    source, row = (
        _csv_source(connection, table, path, file)
        if ending == ".csv"
        else _parquet_source(connection, table, path, file)
    )
    columns = [f"{row} AS row"]
    for column, holds in COLUMNS[table].items():
        columns.append(f"CAST({column} AS VARCHAR) AS {column}")
        if holds == "number":
            columns.append(f"TRY_CAST({column} AS DOUBLE) AS {column}_value")
    connection.execute(f"CREATE TEMP VIEW {table} AS SELECT {', '.join(columns)} FROM {source}")


def _csv_source(
    connection: duckdb.DuckDBPyConnection, table: str, path: Path, file: str
) -> tuple[str, str]:
    """Read a CSV file; return the relation with its rows and the column that numbers them."""
    header = csv_header(path, file)
    check_columns(header, list(COLUMNS[table]), file, 1)
    types = ", ".join(f"{quoted(column)}: 'VARCHAR'" for column in header)
    source = (
        f"read_csv({quoted(glob.escape(str(path)))}, auto_detect=false, header=false, skip=1, "
        f"delim=',', quote='\"', escape='\"', columns={{{types}}})"
    )
    try:
        connection.execute(f"CREATE TEMP TABLE {table}_rows AS SELECT * FROM {source}")
    except duckdb.Error as error:
        raise BookError(_csv_problem(str(error), file, len(header))) from None
    return f"{table}_rows", "rowid"


def _csv_problem(message: str, file: str, columns: int) -> Problem:
    """Return DuckDB's complaint about a CSV file as a problem with its line."""
    place = re.search(r"Line:?\s*(\d+)", message)
    line = int(place.group(1)) if place else None
    counts = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", message)
    if counts:
        return Problem(
            file,
            line,
            None,
            "row",
            f"{counts.group(2)} values",
            f"{columns} values, one per column",
        )
    if "unicode" in message.lower() or "utf-8" in message.lower():
        return Problem(file, line, None, "row", "text that is not UTF-8", "text in UTF-8")
    lines = [part.strip() for part in message.splitlines() if part.strip()]
    reason = lines[1] if len(lines) > 1 else lines[0]
    return Problem(
        file,
        line,
        None,
        "row",
        f"a row that cannot be read ({reason})",
        f"{columns} values separated by commas",
    )


def csv_header(path: Path, file: str) -> list[str]:
    """Return the names of the columns of a CSV file.

    Raises
    ------
    BookError
        If the first line is not UTF-8 text or separates columns by something else.
    """
    try:
        with path.open("rb") as stream:
            first = stream.readline().decode("utf-8-sig")
        header = next(csv.reader([first.rstrip("\r\n")]), [])
    except (UnicodeDecodeError, csv.Error):
        raise BookError(
            Problem(
                file,
                1,
                None,
                "header",
                "a header that is not UTF-8 text",
                "names of columns in UTF-8",
            )
        ) from None
    for separator, word in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if len(header) == 1 and separator in header[0]:
            raise BookError(
                Problem(
                    file,
                    1,
                    1,
                    "header",
                    f"columns separated by {word}",
                    "columns separated by commas",
                )
            )
    return header


def csv_lines(path: Path, rows: set[int]) -> dict[int, int]:
    """Return the line on which each data row begins, from 1; empty lines are no rows.

    Parameters
    ----------
    path : Path
        A CSV file that DuckDB has read.
    rows : set of int
        Data rows, from 0.
    """
    lines: dict[int, int] = {}
    last = max(rows, default=-1)
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream)
        next(reader, None)
        begin, row = reader.line_num + 1, 0
        for values in reader:
            if values:
                if row in rows:
                    lines[row] = begin
                if row >= last:
                    break
                row += 1
            begin = reader.line_num + 1
    return lines


def check_columns(found: list[str], wanted: list[str], file: str, line: int | None) -> None:
    """Raise unless a table has exactly the wanted columns, in any order.

    Raises
    ------
    BookError
        With one problem per missing, extra or repeated column.
    """
    problems = []
    allowed = ", ".join(wanted)
    for number, column in enumerate(found):
        if column in found[:number]:
            problems.append(
                Problem(
                    file, line, None, column, f"a second column {show(column)}", "each column once"
                )
            )
        elif column not in wanted:
            free = [name for name in wanted if name not in found]
            problems.append(
                Problem(
                    file,
                    line,
                    None,
                    column,
                    f"the column {show(column)}",
                    f"the columns {allowed}",
                    nearest(column.strip(), free),
                )
            )
    for column in wanted:
        if column not in found:
            problems.append(
                Problem(file, line, None, column, f"no column '{column}'", f"the columns {allowed}")
            )
    if problems:
        raise BookError(problems)


def _parquet_source(
    connection: duckdb.DuckDBPyConnection, table: str, path: Path, file: str
) -> tuple[str, str]:
    """Check the columns of a Parquet file; return its relation and the column with row numbers."""
    place = quoted(glob.escape(str(path)))
    try:
        described = connection.execute(f"DESCRIBE SELECT * FROM read_parquet({place})").fetchall()
    except duckdb.Error:
        raise BookError(
            Problem(file, None, None, "file", "a file that is not Parquet", "a Parquet file")
        ) from None
    check_columns([row[0] for row in described], list(COLUMNS[table]), file, None)
    problems = []
    for name, kind, *_ in described:
        holds = COLUMNS[table][name]
        legal = _TEXT_TYPES if holds == "text" else _NUMBER_TYPES
        if re.split(r"\W", str(kind))[0].strip('"') not in legal or "[" in str(kind):
            problems.append(
                Problem(file, None, None, name, f"a column of type {kind}", f"a column of {holds}")
            )
    if problems:
        raise BookError(problems)
    return f"read_parquet({place}, file_row_number=true)", "file_row_number"


def damaged(connection: duckdb.DuckDBPyConnection, files: dict[str, str]) -> list[Problem]:
    """Return a problem for each Parquet file whose rows cannot be read.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Has a view of each table, as `read_table` makes it.
    files : dict of str to str
        Tables and the files that messages name.
    """
    problems = []
    for table, file in files.items():
        everything = ", ".join(f"bit_xor(hash({column}))" for column in COLUMNS[table])
        try:
            connection.execute(f"SELECT {everything} FROM {table}").fetchall()
        except duckdb.Error:
            found, allowed = "a damaged Parquet file", "a readable Parquet file"
            problems.append(Problem(file, None, None, "file", found, allowed))
    return problems
