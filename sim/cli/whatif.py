"""``liqsim whatif``: the same world and the same draws, had something been otherwise."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from sim.cli.guard import count
from sim.cli.options import Json, Quiet, ScenarioFile, pairs
from sim.cli.run import SET_EXAMPLE, Overrides

if TYPE_CHECKING:
    from sim.experiments import Comparison, Importance
    from sim.schema import Scenario

Changes = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[CHANGE...]",
        help="silence:VENUE (its forced orders do not reach the market), spare:VENUE (it "
        "liquidates nobody), fence:VENUE (no links to others), absent:VENUE (no accounts), "
        "without:COHORT or TRADER, instant-transfers, PATH=VALUE.",
        show_default=False,
    ),
]
Together = Annotated[bool, typer.Option("--together", help="All changes in one world.")]
By = Literal["venue", "cohort"]
Rank = Annotated[
    By | None,
    typer.Option("--rank", help="Change each venue or cohort in turn and compare them."),
]
Replications = Annotated[
    int, typer.Option(min=1, metavar="N", help="Runs of each world, on seeds one apart.")
]
Seed = Annotated[int | None, typer.Option(min=0, metavar="N", help="First seed.")]
Workers = Annotated[int, typer.Option(min=1, metavar="N", help="Processes that run.")]


def whatif(
    file: ScenarioFile,
    changes: Changes = None,
    together: Together = False,
    rank: Rank = None,
    replications: Replications = 1,
    seed: Seed = None,
    workers: Workers = 1,
    overrides: Overrides = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare a scenario with what would have been, on the same random numbers."""
    if bool(changes) == (rank is not None):
        raise typer.BadParameter("give one or more changes, or --rank venue or cohort")
    values = pairs(overrides or (), "--set", SET_EXAMPLE)
    from sim.cli.bundled import find
    from sim.schema import load

    scenario = load(find(file), values)
    numbers = {"seed": seed, "replications": replications, "workers": workers}
    if rank is None:
        found = _compare(scenario, changes or [], together, numbers, quiet=quiet)
        _show_comparisons(scenario, found, as_json=as_json)
    else:
        _show_importance(scenario, _rank(scenario, rank, numbers, quiet=quiet), as_json=as_json)


def _compare(
    scenario: Scenario, texts: list[str], together: bool, numbers: dict[str, Any], *, quiet: bool
) -> list[Comparison]:
    from sim.cli.progress import ticking
    from sim.experiments.changes import as_changes
    from sim.experiments.counterfactual import compared

    changes = as_changes(texts)
    worlds = [changes] if together else [(change,) for change in changes]
    line = f"running {scenario.name} and {count(len(worlds), 'other world')}"
    with ticking(scenario.name, line, quiet=quiet, what="runs") as progress:
        return compared(scenario, worlds, **numbers, progress=progress)[0]


def _rank(scenario: Scenario, by: By, numbers: dict[str, Any], *, quiet: bool) -> Importance:
    from sim.cli.progress import ticking
    from sim.experiments.importance import systemic_importance

    line = f"running {scenario.name} and what it would be without each {by}"
    with ticking(scenario.name, line, quiet=quiet, what="runs") as progress:
        return systemic_importance(scenario, by, **numbers, progress=progress)


SHOWN = (
    "accounts_liquidated",
    "generations",
    "liquidated_notional",
    "backstop_notional",
    "adl_notional",
    "shortfall",
    "uncovered_shortfall",
    "branching_ratio",
)
"""Figures of a world that tables for reading show; JSON has all."""

SHOWN_INSIDE = {
    "markets": ("deepest_fall",),
    "venues": ("accounts_liquidated", "liquidated_notional", "shortfall"),
}
"""Figures of each market and venue that they show."""


def _shown(figures: Iterable[str]) -> list[str]:
    """Return the figures that a table for reading shows, those of the world first."""
    known = list(figures)
    inside = [
        name
        for name in known
        if name.rpartition(".")[2] in SHOWN_INSIDE.get(name.partition(".")[0], ())
    ]
    return [name for name in SHOWN if name in known] + inside


def _show_comparisons(scenario: Scenario, found: list[Comparison], *, as_json: bool) -> None:
    from sim.cli.console import amount, emit_json, emit_table

    if as_json:
        worlds = [_document(comparison) for comparison in found]
        emit_json({"scenario": scenario.name, "seeds": found[0].seeds, "worlds": worlds})
        return
    for comparison in found:
        summary = comparison.summary().drop(columns="correlation")
        if len(comparison.seeds) < 2:
            summary = summary.drop(columns=["low", "high"])
        summary = summary.loc[_shown(map(str, summary.index))]
        rows = [
            (str(name), *(amount(value) for value in row))
            for name, row in zip(summary.index, summary.to_numpy().tolist(), strict=True)
        ]
        emit_table(comparison.name, ["figure", *summary.columns], rows)


def _document(comparison: Comparison) -> dict[str, Any]:
    from sim.schema import scenario_id

    figures = comparison.summary().to_dict(orient="index")
    each = comparison.differences
    return {
        "changes": [change.text for change in comparison.changes],
        "scenario_id": scenario_id(comparison.scenario),
        "figures": {
            name: {**values, "differences": each[name].tolist()} for name, values in figures.items()
        },
    }


def _show_importance(scenario: Scenario, found: Importance, *, as_json: bool) -> None:
    from sim.cli.console import amount, emit_json, emit_table

    if as_json:
        emit_json(
            {
                "scenario": scenario.name,
                "by": found.by,
                "effects": found.effects().to_dict(orient="records"),
                "network": found.network.to_dict(orient="index"),
            }
        )
        return
    table = found.table()
    columns = list(map(str, table))
    for change in dict.fromkeys(column.partition(".")[0] for column in columns):
        mine = [column for column in columns if column.partition(".")[0] == change]
        part = table[mine]
        headings = [column.partition(".")[2].replace("markets.", "") for column in mine]
        rows = [
            (str(name), *(amount(value) for value in row))
            for name, row in zip(part.index, part.to_numpy().tolist(), strict=True)
        ]
        headings = [heading.replace("_", "\n").replace(".", "\n") for heading in headings]
        emit_table(f"avoided by {change}", [found.by, *headings], rows)
