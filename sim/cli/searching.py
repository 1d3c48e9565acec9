"""What the verbs that search share: where they work, how they show it, how they end."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import typer

from sim.cli.guard import INTERRUPTED
from sim.cli.options import pairs, result_folder
from sim.cli.run import SET_EXAMPLE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sim.experiments.search import SearchPlan, Watch

Plan = TypeVar("Plan", bound="SearchPlan")
Result = TypeVar("Result", bound="Searched")


class Searched(Protocol):
    """What a search returns, as far as all verbs show it alike."""

    @property
    def folder(self) -> Path:
        """Its store."""

    @property
    def done_before(self) -> int:
        """Runs that were there already."""

    def figure(self) -> Figure:
        """Return its figure."""


class Settings(NamedTuple):
    """What was asked for on the command line.

    Attributes
    ----------
    file : str
        Experiment file or name.
    overrides : list of str or None
        As given to ``--set``.
    out : Path
    workers : int or None
    dask : str or None
    retry_failed, as_json, quiet : bool
    """

    file: str
    overrides: list[str] | None
    out: Path
    workers: int | None
    dask: str | None
    retry_failed: bool
    as_json: bool
    quiet: bool


def run_search(
    prepare: Callable[..., Plan], search: Callable[..., Result], asked: Settings
) -> Result:
    """Run a search here or on a cluster; Ctrl-C keeps what is finished.

    Parameters
    ----------
    prepare, search : callable
        Such as `sim.experiments.reverse_plan.prepare_reverse` and
        `sim.experiments.reverse.reverse`.
    asked : Settings
    """
    from sim.cli.bundled import find_experiment, find_scenario
    from sim.cli.console import say
    from sim.cli.progress import watching
    from sim.experiments.cluster import dask_executor

    values = pairs(asked.overrides or (), "--set", SET_EXAMPLE)
    out, workers, dask = result_folder(asked.out), asked.workers, asked.dask
    plan = prepare(find_experiment(asked.file), find_scenario, values)

    def run(workers: int | None, executor: Executor | None, watch: Watch) -> Result:
        return search(
            plan, out=out, workers=workers, executor=executor, watch=watch,
            retry_failed=asked.retry_failed,
        )  # fmt: skip

    done = [0]
    try:
        name = plan.experiment.name
        with watching(name, f"searching {name}", done, quiet=asked.quiet) as watch:
            if dask is None:
                return run(workers, None, watch)
            with dask_executor(dask) as (executor, cores):
                return run(cores if workers is None else workers, executor, watch)
    except KeyboardInterrupt:
        folder = out / plan.experiment.name
        say(f"interrupted; {done[0]:,} runs are kept in {folder}, the same command goes on")
        raise typer.Exit(INTERRUPTED) from None


def show_result(
    result: Result, document: dict[str, Any], name: str, show: Callable[[Result], None],
    asked: Settings,
) -> None:  # fmt: skip
    """Write the answer of a search beside its runs, and print it.

    Parameters
    ----------
    result : Searched
    document : dict
        The answer, JSON-able.
    name : str
        Of the files.
    show : callable
        Prints the answer for people.
    asked : Settings
    """
    from sim.cli.console import emit, emit_json

    write_result(result.folder, document, result.figure(), name)
    if asked.as_json:
        emit_json({**document, "folder": str(result.folder), "done_before": result.done_before})
        return
    show(result)
    emit(f"results: {result.folder}\n")


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
