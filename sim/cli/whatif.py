"""``liqsim whatif``: the same world and the same draws, had something been otherwise."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from sim.cli.guard import count
from sim.cli.options import Json, Quiet, ScenarioFile, pairs
from sim.cli.run import SET_EXAMPLE, Overrides
from sim.core.errors import ScenarioError

if TYPE_CHECKING:
    import pandas as pd

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
    """Compare a scenario with what would have been."""
    if bool(changes) == (rank is not None):
        raise typer.BadParameter(
            "give one or more changes, or --rank venue or cohort, such as 'silence:VENUE'"
        )
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
    from sim.experiments.counterfactuals import compared

    changes = as_changes(texts)
    worlds = [changes] if together else [(change,) for change in changes]
    line = f"running {scenario.name} and {count(len(worlds), 'other world')}"
    try:
        with ticking(scenario.name, line, quiet=quiet, what="runs") as progress:
            return compared(scenario, worlds, **numbers, progress=progress)[0]
    except ScenarioError as error:  # values of --set were read before
        raise ScenarioError(
            replace(one, file="what if") if one.file == "--set" else one for one in error.problems
        ) from None


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


COUNTS = ("accounts_liquidated", "accounts_liquidated_elsewhere", "generations")
"""Figures that are whole numbers in every run."""

COMPARED = """\
difference: counterfactual less factual. Notional in the quote of the markets, shortfall in the
numeraire, deepest_fall as a share of the initial price. --json has every figure.
"""

AVOIDED = """\
avoided: what the scenario as it is has more than without; below 0 the change makes it worse.
elsewhere: without what happened at the venue or cohort itself. Columns of zeros are left out.
Notional in the quote of the markets, shortfall in the numeraire, fall as a share of the price.
"""


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
    from sim.cli.console import emit, emit_json, emit_table

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
            (str(name), *(_number(str(name), value) for value in row))
            for name, row in zip(summary.index, summary.to_numpy().tolist(), strict=True)
        ]
        emit_table(comparison.name, ["figure", *summary.columns], rows)
    emit(COMPARED)


def _number(name: str, value: float) -> str:
    """Return a figure; counts as whole numbers where they are."""
    from sim.cli.console import amount

    whole = name.rpartition(".")[2] in COUNTS and float(value).is_integer()
    return amount(int(value) if whole else value)


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
    from sim.cli.console import emit, emit_json

    if as_json:
        emit_json(
            {
                "scenario": scenario.name,
                "by": found.by,
                "effects": found.effects().to_dict(orient="records"),
                "network": found.network.to_dict(orient="index"),
                "measures": found.measures().to_dict(orient="index"),
                "correlations": found.correlations().to_dict(orient="records"),
            }
        )
        return
    avoided, measures = found.avoided(), found.measures()
    for change in dict.fromkeys(column.partition(".")[0] for column in map(str, avoided)):
        mine = [column for column in map(str, avoided) if column.partition(".")[0] == change]
        falls = [column for column in mine if column.endswith(".deepest_fall")]
        shown = [column for column in mine if column not in falls]
        table = avoided[shown].assign(largest_fall=avoided[falls].max(axis=1))
        table = table.loc[:, (table != 0.0).any() | (table.columns == "largest_fall")]
        _emit_by_name(f"avoided by {change}", found.by, table, prefix=f"{change}.")
    emit(AVOIDED + "\n")
    shown = [column for column in map(str, measures) if not column.endswith("_rank")]
    weight = "log moves" if found.by == "venue" else "losses in the numeraire"
    _emit_by_name(f"network of the scenario as it is, of {weight}", found.by, measures[shown])
    _emit_correlations(found)


FEW = 10
"""Names below which rank correlations have next to no power."""


def _emit_correlations(found: Importance) -> None:
    """Write Spearman's rank correlations with the damage avoided, or why there are none."""
    from sim.cli.console import emit

    table = found.correlations()
    notional = table[table["figure"] == "liquidated_notional_elsewhere"]
    if notional["spearman"].isna().all():
        emit(f"no rank correlations: {notional['note'].iloc[0]}\n")
        return
    wide = notional.pivot(index="measure", columns="change", values="spearman")
    wide = wide.loc[list(dict.fromkeys(notional["measure"]))]
    title = "rank correlation with the notional liquidated elsewhere that was avoided by"
    _emit_by_name(title, "measure", wide)
    names = len(found.measures())
    few = "; so few say next to nothing" if names < FEW else ""
    emit(f"Spearman's, of {names} {found.by}s{few}; - where fewer than 3 values differ\n")


def _emit_by_name(title: str, by: str, table: pd.DataFrame, prefix: str = "") -> None:
    """Write a table of numbers, a row per name, headings folded at their joints."""
    from sim.cli.console import emit_table

    headings = [column.removeprefix(prefix).replace("_", "\n") for column in map(str, table)]
    rows = [
        (str(name), *map(_number, map(str, table), row))
        for name, row in zip(table.index, table.to_numpy().tolist(), strict=True)
    ]
    emit_table(title, [by, *headings], rows)
