"""``liqsim cascade``: who broke whom in a finished run."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, NoReturn

import typer

from sim.cli.options import Json, nearest

if TYPE_CHECKING:
    import networkx as nx

    from sim.cascade import Cascade
    from sim.cascade.loading import RecordedRun
    from sim.cascade.spillover import By

VIEWS = ("accounts", "cohorts", "venues", "assets")
ENDINGS = (".graphml", ".gexf", ".json", ".parquet")
TOP = 10
"""Sellers and victims shown."""

FIRST = 5
"""Broken accounts shown of those that broke first."""

RunDir = Annotated[
    Path, typer.Argument(metavar="RUN_DIR", help="Folder of a run, as 'liqsim run' wrote it.")
]
View = Annotated[
    str | None,
    typer.Option(
        "--view",
        metavar="|".join(VIEWS),
        help="Whom tables and exported graphs tell apart; accounts beside venues by default.",
    ),
]
WindowText = Annotated[
    str | None,
    typer.Option(
        "--window",
        metavar="A..B",
        help="Only what happened from A up to B seconds after the start; either may be left out.",
    ),
]
Exports = Annotated[
    list[Path] | None,
    typer.Option(
        "--export",
        metavar="FILE",
        help="Write the causal graph: .graphml, .gexf, .json or .parquet (edges); repeatable.",
    ),
]


Figures = Annotated[
    bool, typer.Option("--figures", help="Draw the cascade into RUN_DIR/cascade as SVG and PNG.")
]


class Asked(NamedTuple):
    """What a user asked for.

    Attributes
    ----------
    run_dir : Path
        The run folder.
    view : str or None
        One of `VIEWS`; None for accounts, with tables by venue.
    window : tuple of float or None
        Start and end [s].
    exports : tuple of Path
        Files for the graph.
    """

    run_dir: Path
    view: str | None
    window: tuple[float, float] | None
    exports: tuple[Path, ...]


def cascade(
    run_dir: RunDir,
    view: View = None,
    window: WindowText = None,
    export: Exports = None,
    figures: Figures = False,
    as_json: Json = False,
) -> None:
    """Show who broke whom in a finished run."""
    asked = Asked(run_dir, _view(view), _window(window), tuple(_export(f) for f in export or ()))
    from sim.cascade import Cascade
    from sim.cascade.loading import read_run

    run = read_run(run_dir)
    _spare_results(run.manifest, asked)
    if asked.view in GROUPS and run.missing:
        _refuse(str(run_dir), "RUN_DIR", _lacks(run.missing), f"for --view {asked.view}, {NEWER}")
    found = Cascade(**run.tables, bases=run.bases)
    if asked.view in GROUPS and not found.has_losses and len(found.liquidations):
        _refuse(str(run_dir), "RUN_DIR", "no rows in breaks.parquet",
                f"for --view {asked.view}, {NEWER}")  # fmt: skip
    document = {"scenario": _name(run.manifest)} | _document(found, asked, run.missing)
    document["exports"] = [str(file) for file in _written(found, asked)]
    document["figures"] = [str(file) for file in _drawn(found, run, asked)] if figures else []
    if as_json:
        from sim.cli.console import emit_json

        emit_json(document)
    else:
        from sim.cli.cascade_tables import emit_document

        emit_document(document)


GROUPS = ("venues", "assets")
"""Views that need losses."""

NEWER = "a folder written by this version, with record.breaks on: run the scenario again"


def _lacks(missing: tuple[str, ...]) -> str:
    return f"no {', '.join(f'{name}.parquet' for name in missing)} in it"


def _document(found: Cascade, asked: Asked, missing: tuple[str, ...]) -> dict[str, Any]:
    """Return everything that the verb shows, as JSON has it."""
    from sim.cascade.statistics import branching_by_generation

    window = asked.window
    generations = found.generations(window)
    ratio = branching_by_generation(generations).rename(columns={
        "accounts": "next_accounts", "notional": "next_notional",
    })  # fmt: skip
    who: Any = {"cohorts": "cohort", "venues": "venue"}.get(asked.view or "", "account")
    document: dict[str, Any] = {
        "folder": str(asked.run_dir),
        "view": asked.view or "accounts",
        "window": None if window is None else list(window),
        "span": _span(found),
        "missing": list(missing),
        "recorded": found.has_losses,
        "generations": _rows(generations.merge(ratio, on="generation", how="left")),
        "branching_ratio": found.branching_ratio,
        "amplification": found.amplification().to_dict(),
        "statistics": found.statistics(window),
        "sellers": _rows(found.sellers(who, window).head(TOP)),
    }
    if not found.has_losses:
        for row in document["sellers"]:
            del row["loss_caused"], row["children"]
        return document
    by: Any = {"cohorts": "cohort", "assets": "asset"}.get(asked.view or "", "venue")
    matrix = found.spillover(by, "loss", window=window)
    return document | {
        "first": _rows(found.first_breaks(FIRST, window)),
        "spillover": {
            "by": by,
            "sources": list(matrix.index),
            "targets": list(matrix.columns),
            "loss": matrix.to_numpy().tolist(),
            "net": _rows(found.net_spillover(by, window).reset_index()),
        },
        "victims": _rows(found.victims(who, window).head(TOP)),
    }


def _span(found: Cascade) -> list[float] | None:
    """Return the times of the first and the last forced trade or break of the run [s]."""
    times = [frame["time"] for frame in (found.liquidations, found.breaks) if len(frame)]
    if not times:
        return None
    return [float(min(t.min() for t in times)), float(max(t.max() for t in times))]


def _rows(frame: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = frame.to_dict("records")
    return rows


def _written(found: Cascade, asked: Asked) -> list[Path]:
    """Write the graph to every file asked for."""
    if not asked.exports:
        return []
    level: Any = asked.view or "accounts"
    graph = found.graph(level, window=asked.window)
    return [_exported(graph, file) for file in asked.exports]


def _exported(graph: nx.MultiDiGraph[str], file: Path) -> Path:
    from sim.cascade.export import export_graph

    try:
        return export_graph(graph, file)
    except OSError as error:
        _unwritable(file, f"which cannot be written: {error.strerror or error}")


def _drawn(found: Cascade, run: RecordedRun, asked: Asked) -> list[Path]:
    """Draw the figures of the whole run."""
    from sim.cli.console import say
    from sim.report.cascade_figures import CascadeFrames, missing, save_cascade_figures
    from sim.report.context import RunContext

    groups: tuple[By, ...] = ("venue", "asset", "cohort") if found.has_losses else ()
    frames = CascadeFrames(
        found.liquidations,
        found.price_causes,
        losses=found.losses_by("generation", "cause"),
        spillover={by: found.spillover(by, "loss") for by in groups},
        graph=found.graph("auto"),
    )
    context = RunContext.of_run(
        run.manifest, run.summary, prices=run.tables["prices"], venues=run.tables["venues"],
        liquidations=run.tables["liquidations"], price_causes=run.tables["price_causes"],
    )  # fmt: skip
    for name, why in missing(frames).items():
        if name not in OF_STATES:
            say(f"no figure {name}: {why}")
    return save_cascade_figures(frames, asked.run_dir / "cascade", context)


OF_STATES = ("ladder", "critical_surface")
"""Figures that are not of a finished run."""


def _view(text: str | None) -> str | None:
    if text is not None and text not in VIEWS:
        _refuse("command line", "--view", f"'{text}'", ", ".join(VIEWS), nearest(text, VIEWS))
    return text


def _window(text: str | None) -> tuple[float, float] | None:
    """Return the seconds of ``a..b``, ``a..`` or ``..b``."""
    if text is None:
        return None
    first, dots, last = text.partition("..")
    try:
        start = float(first) if first.strip() else -math.inf
        end = float(last) if last.strip() else math.inf
    except ValueError:
        start = end = math.nan
    if not (dots and start < end):
        allowed = "A..B in seconds, A below B, such as 300..600, 300.. or ..600"
        _refuse("command line", "--window", f"'{text}'", allowed)
    if end <= 0.0:
        allowed = "B above 0, in seconds after the start of the run"
        _refuse("command line", "--window", f"'{text}', which ends before the run starts", allowed)
    return start, end


def _export(file: Path) -> Path:
    if file.suffix.lower() not in ENDINGS:
        allowed = f"a file that ends with {', '.join(ENDINGS)}"
        _refuse("command line", "--export", f"'{file}'", allowed)
    try:
        folder, above = file.is_dir(), next(at for at in file.absolute().parents if at.exists())
    except OSError as error:
        _unwritable(file, f"which cannot be written: {error.strerror}")
    if folder:
        _refuse("command line", "--export", f"the folder '{file}'", "a file")
    if not above.is_dir():
        _unwritable(file, f"in what is no folder but a file ({above})")
    if not os.access(above, os.W_OK):
        _unwritable(file, f"in a folder that cannot be written to ({above})")
    return file


def _unwritable(file: Path, why: str) -> NoReturn:
    allowed = "a file in a folder that can be written to"
    _refuse("command line", "--export", f"'{file}', {why}", allowed)


def _spare_results(manifest: Mapping[str, Any], asked: Asked) -> None:
    """Refuse to write a graph over a file of the run."""
    outputs = manifest.get("outputs")
    names = {"manifest.json", *(outputs if isinstance(outputs, dict) else ())}
    kept = {(asked.run_dir / str(name)).resolve() for name in names}
    for file in asked.exports:
        if file.resolve() in kept:
            found = f"'{file}', which is a result of the run"
            _refuse("command line", "--export", found, "a file that is none of the run")


def _name(manifest: Mapping[str, Any]) -> str | None:
    """Return the name of the scenario, if the manifest says it."""
    scenario = manifest.get("scenario")
    name = scenario.get("name") if isinstance(scenario, dict) else None
    return None if name is None else str(name)


def _refuse(place: str, path: str, found: str, allowed: str, hint: str | None = None) -> NoReturn:
    from sim.core.errors import Problem, ScenarioError

    raise ScenarioError(Problem(place, None, None, path, found, allowed, hint))
