"""The figures of one run that counterfactuals compare."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from sim.cascade.tables import BROKEN_KINDS, MARKET_KIND

if TYPE_CHECKING:
    from sim.engine import Result
    from sim.schema import Scenario

NOT_FIGURES = ("scenario", "run_id", "seed", "ticks", "wall_seconds", "conservation_error")
"""Entries of a summary that say nothing about what happened."""


class Outcome(NamedTuple):
    """What is kept of a run.

    Attributes
    ----------
    figures : dict
        Number by name, NaN where the run has none.
    spillover : pandas.DataFrame
        `Cascade.spillover` by venue [1, log price].
    """

    figures: dict[str, float]
    spillover: pd.DataFrame


def outcome_of(result: Result, scenario: Scenario) -> Outcome:
    """Return the figures of a run.

    Notes
    -----
    All numbers of ``summary.json`` under their paths, and

    - ``markets.<m>.fall`` [1], one less the final over the initial price, and
      ``markets.<m>.deepest_fall``, the same with the lowest price;
    - ``cohorts.<c>.accounts_liquidated`` [accounts], those that were sold, taken over or auctioned;
      ``cohorts.<c>.liquidated_notional`` [numeraire, quotes at their opening values];
      ``cohorts.<c>.shortfall`` [numeraire].
    """
    shown = {k: v for k, v in result.summary.items() if k not in NOT_FIGURES}
    figures = dict(_flat(shown, ""))
    for name, facts in result.summary["markets"].items():
        for key, price in (("fall", "final_price"), ("deepest_fall", "min_price")):
            figures[f"markets.{name}.{key}"] = 1.0 - facts[price] / facts["initial_price"]
    figures |= _by_cohort(result, scenario)
    return Outcome(figures, result.cascade.spillover())


def _flat(values: Mapping[str, Any], prefix: str) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            found += _flat(value, f"{prefix}{key}.")
        else:
            found.append((prefix + key, math.nan if value is None else float(value)))
    return found


def _by_cohort(result: Result, scenario: Scenario) -> dict[str, float]:
    events = result.liquidations
    quote = {
        (market.venue, market.symbol): scenario.assets[market.quote].price
        for market in scenario.markets
    }
    markets = zip(events["venue"], events["symbol"], strict=True)
    worth = pd.Series([quote.get(market, 0.0) for market in markets], index=events.index)
    value = events["notional"].astype("float64") * worth
    cohort, traded = events["cohort"], events["symbol"] != ""
    broken = events[events["kind"].isin(BROKEN_KINDS) & traded]
    accounts = broken.groupby("cohort")["account_id"].nunique()
    sold = value[(events["kind"] == MARKET_KIND) & traded].groupby(cohort).sum()
    short = events["shortfall"].groupby(cohort).sum()
    figures = {}
    for name in dict.fromkeys(result.cohorts["cohort"]):
        parts = (
            ("accounts_liquidated", accounts),
            ("liquidated_notional", sold),
            ("shortfall", short),
        )
        figures |= {f"cohorts.{name}.{key}": float(of.get(name, 0.0)) for key, of in parts}
    return figures
