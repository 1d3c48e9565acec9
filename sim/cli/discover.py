"""``liqsim discover``: in which boxes of factors a condition holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sim.cli.options import Json

if TYPE_CHECKING:
    from sim.experiments.discovery import Discovery


def discover(
    folder: Annotated[Path, typer.Argument(metavar="EXPERIMENT", help="Folder of an experiment.")],
    where: Annotated[
        str,
        typer.Option(
            metavar="EXPR",
            help="What to find, such as 'shortfall > 0' (runs) or 'mean(shortfall) > 1e6' (cells).",
        ),
    ],
    peel: Annotated[
        float, typer.Option(metavar="SHARE", help="Share of the points that a step cuts off.")
    ] = 0.05,
    mass: Annotated[
        float, typer.Option(metavar="SHARE", help="Least share of all points in a box.")
    ] = 0.05,
    boxes: Annotated[int, typer.Option(min=1, metavar="N", help="Boxes to look for.")] = 1,
    step: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="Step of the first box's trajectory to take."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Find the settings in which something happens.

    They are boxes of factors (PRIM), found in the runs of any experiment.
    """
    from sim.cli.console import say
    from sim.core.lexer import ExpressionError
    from sim.experiments.discovery import discover as find

    for name, share in (("--peel", peel), ("--mass", mass)):
        if not 0.0 < share < 1.0:
            raise typer.BadParameter(f"found {share:g}; allowed: between 0 and 1", param_hint=name)
    try:
        found = find(folder, where, peel=peel, mass=mass, boxes=boxes, step=step)
    except ExpressionError as error:
        raise typer.BadParameter(str(error), param_hint="--where") from None
    except IndexError as error:
        raise typer.BadParameter(str(error), param_hint="--step") from None
    files = found.save()
    if as_json:
        _emit_json(found, files)
    else:
        _emit_tables(found)
    for text in found.warnings:
        say(f"warning: {text}")


def _emit_json(found: Discovery, files: list[Path]) -> None:
    from sim.cli.console import emit_json

    document: dict[str, Any] = {
        "folder": str(found.folder),
        "where": found.where,
        "points": found.points,
        "cases": found.cases,
        "boxes": found.chosen.to_dict("records"),
        "limits": found.limits.to_dict("records"),
        "trajectory": found.frame.to_dict("records"),
        "warnings": list(found.warnings),
        "files": [str(path) for path in files],
    }
    emit_json(document)


def _emit_tables(found: Discovery) -> None:
    from sim.cli.console import emit, emit_table

    share = found.cases / found.points
    emit(f"{found.where}: {found.cases:,} of {found.points:,} points, {share:.1%}\n")
    names = ["box", "step", "coverage", "density", "mass", "points", "cases", "restricted"]
    for title, rows in (("trajectory", found.frame), ("chosen", found.chosen)):
        lines = [
            [f"{row[name]:.3f}" if isinstance(row[name], float) else str(row[name])
             for name in names]
            for row in rows.to_dict("records")
        ]  # fmt: skip
        emit_table(title, names, lines, left=0)
    lines = [
        [str(row["box"]), row["factor"], _rule(row), _chances(row)]
        for row in found.limits.to_dict("records")
    ]
    emit_table("limits", ["box", "factor", "rule", "quasi-p"], lines, left=4)
    emit(f"results: {found.folder}\n")


def _rule(row: dict[Any, Any]) -> str:
    if isinstance(row["words"], str):
        return row["words"]
    low, high = row["low"], row["high"]
    if low != low:
        return f"at most {high:.6g}"
    return f"at least {low:.6g}" if high != high else f"{low:.6g} to {high:.6g}"


def _chances(row: dict[Any, Any]) -> str:
    ends = (row[f"p_{end}"] for end in ("low", "high", "words"))
    return ", ".join(f"{chance:.2g}" for chance in ends if chance == chance)
