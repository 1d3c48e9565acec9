"""Questions to the table of runs, in SQL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sim.core.errors import Problem, ScenarioError
from sim.experiments.table import from_runs

if TYPE_CHECKING:
    import pandas as pd


def ask(folder: str | Path, sql: str) -> pd.DataFrame:
    """Return the answer of DuckDB to a question about the table ``runs`` of an experiment.

    The table is read into memory first; the question can then neither read nor write a file.

    Parameters
    ----------
    folder : path
        Folder of an experiment.
    sql : str
        One or more questions, such as SELECT or SUMMARIZE; the last one's rows are the answer.

    Raises
    ------
    ScenarioError
        If the folder is no experiment's, DuckDB does not understand the question, or it would
        change something.
    """
    import duckdb

    with duckdb.connect(":memory:") as connection:
        create = "CREATE OR REPLACE TABLE runs AS SELECT * FROM"
        from_runs(Path(folder), lambda runs: connection.execute(f"{create} {runs}"))
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        try:
            statements = connection.extract_statements(sql)
            if not statements:
                raise _refused("nothing to answer")
            asking = [duckdb.ExpectedResultType.QUERY_RESULT]
            for statement in statements:  # PIVOT is of type MULTI
                pivots = statement.type is duckdb.StatementType.MULTI
                if not pivots and statement.expected_result_type != asking:
                    raise _refused(f"{statement.type.name}, which changes something")
            return connection.execute(sql).df()
        except duckdb.Error as error:
            raise _refused(" ".join(str(error).split())) from None


def _refused(found: str) -> ScenarioError:
    allowed = "a question in DuckDB's SQL over the table runs"
    return ScenarioError(Problem("SQL", None, None, "query", found, allowed))
