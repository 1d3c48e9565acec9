"""What becomes of a book that breaks rules: it is refused, with the rows that do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from sim.core.errors import BookError, Problem
from sim.schema.book_rules import Rule, book_rules
from sim.schema.book_tables import csv_lines
from sim.schema.names import nearest

if TYPE_CHECKING:
    from sim.schema.scenario import Scenario

MOST_PROBLEMS = 20
"""Problems of a book that are told one by one."""


class RowProblems:
    """The first problems of a book and the number of all."""

    def __init__(self, files: dict[str, str]) -> None:
        self.files = files
        self.rows: list[tuple[int, int, Rule, Any, Any]] = []
        self.total = 0

    def apply(self, connection: duckdb.DuckDBPyConnection, rule: Rule) -> None:
        """Add the rows that break a rule."""
        rows = connection.execute(
            f"SELECT *, count(*) OVER () FROM ({rule.query}) ORDER BY 1 LIMIT {MOST_PROBLEMS}"
        ).fetchall()
        if rows:
            self.total += int(rows[0][-1])
        table = list(self.files).index(rule.table)
        self.rows += [(table, int(row), rule, value, extra) for row, value, extra, _ in rows]

    def listed(self) -> list[Problem]:
        """Return at most `MOST_PROBLEMS` problems in order of file and row, then how many more."""
        self.rows.sort(key=lambda item: item[:2])
        shown = self.rows[:MOST_PROBLEMS]
        lines = {}
        for table, file in self.files.items():
            if file.lower().endswith(".csv"):
                wanted = {row for _, row, rule, _, _ in shown if rule.table == table}
                lines[table] = csv_lines(Path(file), wanted)
        problems = [
            self._problem(rule, lines.get(rule.table, {}).get(row, row + 1), value, extra)
            for _, row, rule, value, extra in shown
        ]
        if self.total > len(shown):
            more = f"... and {self.total - len(shown)} more problems"
            problems.append(Problem("book", None, None, "rows", more, "no problems"))
        return problems

    def _problem(self, rule: Rule, line: int, value: Any, extra: Any) -> Problem:
        hint = nearest(value, rule.known) if rule.known and value is not None else None
        file, found = self.files[rule.table], rule.found(value, extra)
        return Problem(file, line, None, rule.column, found, rule.allowed, hint)


class BookChecks:
    """The rules of a book and what becomes of a book that breaks them.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Has the views of the book's tables and the tables of known names.
    files : dict of str to str
        Tables and the files that messages name.
    scenario : Scenario
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, files: dict[str, str], scenario: Scenario
    ) -> None:
        self.connection, self.files = connection, files
        self.rules = tuple(book_rules(scenario))

    def broken(self, table: str) -> str:
        """Return the SQL truth value of whether a row of `JOINED` breaks a rule for one row."""
        conditions = [f"({r.condition})" for r in self.rules if r.table == table and r.condition]
        # Unlike a bare OR, CASE tries a condition only on the rows that passed those before.
        return f"CASE WHEN {' OR '.join(conditions)} THEN true ELSE false END"

    def refuse(self, broken: bool, doubtful: bool = False) -> None:
        """Refuse a book with a broken row, or where doubts about its rows are confirmed.

        Raises
        ------
        BookError
            With every problem of all tables.
        """
        if not (broken or doubtful):
            return
        problems = RowProblems(self.files)
        for rule in self.rules:
            problems.apply(self.connection, rule)
        if problems.total or broken:
            raise BookError(problems.listed())
