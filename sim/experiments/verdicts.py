"""What may be said of differences: verdicts in words, and what a reader has to know beside them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sim.experiments.check import describe
from sim.experiments.differences import LEAST_PAIRS, pairs_to_tell, replications_needed
from sim.schema.experiment_compare import VARIANT

if TYPE_CHECKING:
    from sim.experiments.compare import CompareResult
    from sim.schema.experiment_compare import Compare


def least_pairs(settings: Compare, comparisons: int) -> int:
    """Return the least number of pairs with which a verdict can pass the correction."""
    family = comparisons if settings.correction == "holm" else 1
    return pairs_to_tell(max(1, family), settings.confidence)


def needed_of(row: dict[str, Any], settings: Compare, least: int) -> int | None:
    """Return how many replications may tell a difference that was not told."""
    if row["told"] or not math.isfinite(row["d"]):
        return None
    found = replications_needed(row["d"], settings.confidence, settings.power)
    return None if found is None else max(found, least)


def verdict_of(row: dict[str, Any]) -> str:
    """Return in words what is known of a difference."""
    if not row["runs"]:
        return "no pair of runs has a value"
    if row["difference"] == 0.0 and (row["d"] == 0.0 or row["runs"] == 1):
        return "the same in every pair"
    if row["runs"] == 1:
        return "one pair: nothing is known of its luck"
    if math.isinf(row["d"]) and not row["told"]:
        return f"{'higher' if row['difference'] > 0 else 'lower'} by the same in every pair"
    if row["told"]:
        return "higher" if row["difference"] > 0 else "lower"
    text = "not told from no difference"
    if row["needed"] is None or row["needed"] <= row["runs"]:
        return text
    return f"{text}; about {row['needed']:,} replications might tell"


def remarks_of(result: CompareResult) -> Iterator[str]:
    """Yield what a reader has to know beside the figures of a comparison."""
    frame, settings = result.frame, result.settings
    percent = f"{100 * settings.confidence:.6g} %"
    if frame.empty:
        return
    if len(frame) > 1:
        if settings.correction == "holm":
            yield (
                f"verdicts are at {percent} for all {len(frame):,} comparisons together (Holm); "
                "intervals are of each comparison alone"
            )
        else:
            yield (
                f"verdicts and intervals are at {percent} for each of {len(frame):,} comparisons "
                "alone: of 20 such without any difference one is told at 95 %"
            )
    if (frame["runs"] < LEAST_PAIRS).any():
        yield f"no intervals where there are fewer than {LEAST_PAIRS} pairs"
    needed = least_pairs(settings, len(frame))
    if frame["runs"].max() < needed:
        yield f"it takes {needed} pairs to tell any difference, there are {frame['runs'].max()}"
    lost = frame[frame["missing"] > 0]
    for row in lost.head(5).to_dict("records"):
        where = describe({name: row[name] for name in result.factors})
        yield (
            f"{row['metric']} of {row[VARIANT]} ({where}): {row['missing']} of "
            f"{row['missing'] + row['runs']} pairs have no value and are left out"
        )
    if len(lost) > 5:
        yield f"{len(lost) - 5:,} more comparisons have pairs without a value"
