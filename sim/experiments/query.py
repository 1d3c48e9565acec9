"""Questions to the table of runs, in SQL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sim.core.errors import Problem, ScenarioError
from sim.experiments.table import refreshed

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
        One or more statements; the last one's rows are the answer.

    Raises
    ------
    ScenarioError
        If the folder is no experiment's, or DuckDB does not understand the question.
    """
    import duckdb

    table = refreshed(Path(folder))
    with duckdb.connect(":memory:") as connection:
        connection.execute("CREATE TABLE runs AS SELECT * FROM read_parquet(?)", [str(table)])
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        try:
            answer: duckdb.DuckDBPyConnection | None = connection.execute(sql)
            if answer is None:
                raise _refused("nothing to answer")
            return answer.df()
        except duckdb.Error as error:
            raise _refused(" ".join(str(error).split())) from None


def _refused(found: str) -> ScenarioError:
    allowed = "a question in DuckDB's SQL over the table runs"
    return ScenarioError(Problem("SQL", None, None, "query", found, allowed))
