"""What the verbs that search share: where they work, how they show it, how they end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from sim.cli.guard import INTERRUPTED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sim.experiments.search import SearchPlan, Watch

Result = TypeVar("Result")

Run = Callable[[int | None, Executor | None, "Watch"], Result]
"""Searches with a number of workers, an executor and somebody to tell."""


def run_search(
    plan: SearchPlan,
    out: Path,
    workers: int | None,
    dask: str | None,
    run: Run[Result],
    *,
    quiet: bool,
) -> Result:
    """Run a search here or on a cluster; Ctrl-C keeps what is finished."""
    from sim.cli.console import say
    from sim.experiments.cluster import dask_executor

    done = [0]
    try:
        with _watching(plan.experiment.name, done, quiet=quiet) as watch:
            if dask is None:
                return run(workers, None, watch)
            with dask_executor(dask) as (executor, cores):
                return run(cores if workers is None else workers, executor, watch)
    except KeyboardInterrupt:
        folder = out / plan.experiment.name
        say(f"interrupted; {done[0]:,} runs are kept in {folder}, the same command goes on")
        raise typer.Exit(INTERRUPTED) from None


@contextmanager
def _watching(name: str, done: list[int], *, quiet: bool) -> Iterator[Watch]:
    """Yield what is told of every finished run: it counts, and shows a bar on a terminal."""
    from sim.cli.progress import counting

    with counting(name, f"searching {name}", "runs", quiet=quiet) as report:

        def watch(finished: int, expected: int, failed: int) -> None:
            done[0] = finished
            if report is not None:
                report(finished, expected, f"{failed:,} failed" if failed else "")

        yield watch


def write_result(folder: Path, document: dict[str, Any], figure: Figure, name: str) -> None:
    """Write ``<name>.json``, ``<name>.png`` and ``<name>.svg`` into the folder of an experiment."""
    import json

    from sim.cli.console import plain
    from sim.core.errors import RunError
    from sim.report.style import save

    text = json.dumps(plain(document), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
        save(figure, folder, name)
    except OSError as error:
        raise RunError(f"cannot write to {folder}: {error.strerror}") from error
