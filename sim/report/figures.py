"""All figures of one run, drawn and written."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from sim.report import adl, causes, forced, funds, generations, mechanisms, prices
from sim.report.context import RunContext, RunTables
from sim.report.style import save


def all_figures(result: RunTables) -> dict[str, Figure]:
    """Return every figure of a run by the name of its file.

    `mechanisms` is drawn only where a venue has any, `adl` where somebody was deleveraged.
    """
    context = RunContext.of(result)
    drawn = {
        "prices": prices.figure(result.prices, context),
        "forced_notional": forced.figure(result.liquidations, context),
        "price_causes": causes.figure(result.price_causes, context),
        "generations": generations.figure(result.liquidations, context),
        "funds": funds.figure(result.venues, context),
    }
    if len(result.mechanisms):
        drawn["mechanisms"] = mechanisms.figure(result.mechanisms, context)
    if (result.liquidations["kind"] == "adl").any():
        drawn["adl"] = adl.figure(result.liquidations, context)
    return drawn


def save_all(result: RunTables, folder: str | Path) -> list[Path]:
    """Write every figure of a run as SVG and PNG.

    The same result gives the same bytes.

    Parameters
    ----------
    result : RunTables
        Tables, summary and manifest of the run.
    folder : str or Path
        Folder to write to; made if it does not exist.

    Returns
    -------
    list of Path
        What was written, in order of the figures.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for name, drawn in all_figures(result).items():
        written += save(drawn, target, name)
    return written
