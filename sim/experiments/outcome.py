"""The figures of one run that counterfactuals compare."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from sim.cascade.tables import BROKEN_KINDS, MARKET_KIND
from sim.schema.checks_counterfactual import group_names

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
    network : pandas.DataFrame or None
        Who hit whom, where it was asked for; see `network_of`.
    """

    figures: dict[str, float]
    network: pd.DataFrame | None = None


def outcome_of(result: Result, scenario: Scenario, by: str | None = None) -> Outcome:
    """Return the figures of a run, and its network of ``venue`` or ``cohort`` if it is asked for.

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
    return Outcome(figures, None if by is None else network_of(result, scenario, by))


def network_of(result: Result, scenario: Scenario, by: str) -> pd.DataFrame:
    r"""Return who hit whom in a run.

    Parameters
    ----------
    result : Result
    scenario : Scenario
    by : str
        ``venue`` or ``cohort``.

    Returns
    -------
    pandas.DataFrame
        Index `source`, columns `target`, the same names in the same order, values >= 0. By venue
        [1, log price] what forced orders of the source, and arbitrage that its prices pulled, moved
        the markets of the target. By cohort [numeraire] what forced orders of the source cost the
        accounts of the target that broke.

    Notes
    -----
    By venue an entry is :math:`\sum_m |u_{vm} + a_{vm}|` over the markets m of the target, with the
    log moves by ``liquidation:<v>`` and by ``arbitrage:<v>``, each summed over the run. By cohort
    it is that of ``Cascade.spillover("cohort", "loss")``, and 0 where forced orders of the source
    did more good than harm, or where the run did not record losses.
    """
    if by == "venue":
        return _between_venues(result, list(scenario.venues))
    cascade, names = result.cascade, group_names(scenario)
    rows = cascade.spillover_by("cohort")
    forced = rows[rows["source_kind"] == "forced"]
    found = forced.groupby(["source", "target"])["loss"].sum().unstack(fill_value=0)
    found = found.reindex(index=names, columns=names, fill_value=0.0).astype("float64")
    return found.clip(lower=0.0).rename_axis(index="source", columns="target")


def _between_venues(result: Result, venues: list[str]) -> pd.DataFrame:
    moves = result.cascade.price_moves_by_cause()
    found = pd.DataFrame(0.0, index=venues, columns=venues)
    target = [str(market).split("/", 1)[0] for market in moves.columns]
    for venue in venues:
        causes = [f"{kind}:{venue}" for kind in ("liquidation", "arbitrage")]
        moved = moves.reindex(causes, fill_value=0.0).sum().abs()
        for other, size in zip(target, moved.tolist(), strict=True):
            found.loc[venue, other] += size
    return found.rename_axis(index="source", columns="target")


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
    figures: dict[str, float] = {}
    for name in dict.fromkeys([*group_names(scenario), *result.cohorts["cohort"]]):
        parts = (
            ("accounts_liquidated", accounts),
            ("liquidated_notional", sold),
            ("shortfall", short),
        )
        figures |= {f"cohorts.{name}.{key}": float(of.get(name, 0.0)) for key, of in parts}
    return figures
