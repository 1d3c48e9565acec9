"""Critical shocks found by brute force, and how far the estimate from the state is off.

The scenario is run again and again with all its shocks replaced by one instant jump at 0 s along a
direction, and the size is bisected at which it tips by the same criterion that the estimate uses
(`sim.cascade.tipping`): the share of all notional that is closed by force, and the part of it in
later generations than the first, both at the marks of the state before the jump.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sim.cascade.direction import Direction
from sim.cascade.tables import BROKEN_KINDS
from sim.cascade.tipping import Criterion, CriticalShock, critical_shock, static_response
from sim.core.errors import ConservationError, RunError
from sim.engine import run
from sim.engine.state import state
from sim.schema import load_mapping, resolved

if TYPE_CHECKING:
    from sim.cascade.state import State
    from sim.engine import Result
    from sim.schema import Scenario

COARSE = Criterion(tolerance=0.01, grid=8)
"""Criterion of a search by runs: fewer sizes to begin with, a wider bracket at the end."""


@dataclass(frozen=True)
class Measured:
    """A critical shock found by runs.

    Attributes
    ----------
    shock : CriticalShock
        Without predictions.
    runs : pandas.DataFrame
        A row per run, by size: `size` [1], `share, induced` [1], `accounts` liquidated. A run that
        fails, because a price ran away or a cascade did not end, counts as closing everything.
    """

    shock: CriticalShock
    runs: pd.DataFrame


def measured_critical_shock(
    scenario: Scenario,
    direction: Mapping[str, float],
    *,
    criterion: Criterion = COARSE,
    horizon: float | None = None,
    seed: int | None = None,
) -> Measured:
    """Return the smallest jump at 0 s along a direction at which a scenario tips.

    Parameters
    ----------
    scenario : Scenario
        Its own shocks are left out.
    direction : mapping of float
        Return of assets or markets ``venue/symbol`` for each unit of size.
    criterion : Criterion
        When it has tipped, and how finely is searched.
    horizon : float, optional
        Length of the runs [s], a multiple of the tick; the scenario's own by default.
    seed : int, optional
        Root seed of all runs.

    Raises
    ------
    ValueError
        The direction is wrong, or names a market that no jump moves alone.
    ScenarioError
        The horizon does not fit.
    """
    before = state(scenario, seed=seed)
    along = Direction(direction, before.cascade.prices)
    _require_jumps(scenario, along)
    rows: list[tuple[float, float, float, int]] = []

    def respond(size: float) -> tuple[float, float]:
        jumped = _jumped(scenario, along, size, horizon)
        try:
            result = run(jumped, seed=seed)
        except ConservationError:
            raise
        except RunError:
            rows.append((size, 1.0, 1.0, len(before.accounts)))
            return 1.0, 1.0
        shares = closed_shares(result, before)
        rows.append((size, *shares, int(result.summary["accounts_liquidated"])))
        return shares

    found = critical_shock(respond, along, criterion)
    runs = pd.DataFrame(sorted(rows), columns=["size", "share", "induced", "accounts"])
    return Measured(found, runs)


def check_critical_shock(
    scenario: Scenario,
    directions: Sequence[Mapping[str, float]],
    *,
    criterion: Criterion = COARSE,
    horizon: float | None = None,
    seed: int | None = None,
) -> pd.DataFrame:
    """Return estimates of critical shocks beside what runs give.

    Parameters
    ----------
    scenario, criterion, horizon, seed
        As for `measured_critical_shock`; the estimate uses the same criterion.
    directions : sequence of mappings

    Returns
    -------
    pandas.DataFrame
        A row per direction: `direction`; `estimate` [1] and its `estimate_criterion`; `measured`,
        `lower, upper` [1] and their `criterion`; `error` [1], ``estimate / measured - 1``; `runs`.
    """
    before = state(scenario, seed=seed)
    rows = []
    for weights in directions:
        along = Direction(weights, before.cascade.prices)
        finer = replace(criterion, tolerance=0.1 * criterion.tolerance)
        estimate = critical_shock(static_response(before.cascade, along), along, finer)
        measured = measured_critical_shock(
            scenario, weights, criterion=criterion, horizon=horizon, seed=seed
        )
        shock = measured.shock
        name = ", ".join(f"{name} {weight:g}" for name, weight in along.weights.items())
        rows.append(
            (name, estimate.size, estimate.criterion, shock.size, shock.lower, shock.upper,
             shock.criterion, _error(estimate.size, shock.size), len(measured.runs))
        )  # fmt: skip
    columns = ["direction", "estimate", "estimate_criterion", "measured", "lower", "upper",
               "criterion", "error", "runs"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def closed_shares(result: Result, before: State) -> tuple[float, float]:
    """Return what a run closed of broken accounts, as shares of all notional.

    Parameters
    ----------
    result : Result
    before : State
        Whose marks and notional count.

    Returns
    -------
    share, induced : float [1]
        All of it, and what later generations than the first closed.

    Notes
    -----
    Deleveraging counts by half: each contract of a broken account is closed against one of another.
    """
    orders = result.liquidations
    orders = orders[orders["kind"].isin((*BROKEN_KINDS, "adl")) & (orders["symbol"] != "")]
    cascade = before.cascade
    if orders.empty or cascade.open_notional == 0.0:
        return 0.0, 0.0
    unit = dict(zip(cascade.prices.markets, cascade.book.contract_value.tolist(), strict=True))
    market = orders["venue"].astype(str) + "/" + orders["symbol"].astype(str)
    share = market.map(unit).to_numpy(dtype=np.float64)
    share = share * orders["quantity"].abs().to_numpy(dtype=np.float64) / cascade.open_notional
    share = share * np.where(orders["kind"] == "adl", 0.5, 1.0)
    later = orders["generation"].to_numpy(dtype=np.int64) >= 1
    return float(share.sum()), float(share[later].sum())


def _error(estimate: float, measured: float) -> float:
    if np.isinf(estimate) and np.isinf(measured):
        return 0.0
    return estimate / measured - 1.0 if measured else np.nan


def _require_jumps(scenario: Scenario, direction: Direction) -> None:
    """Raise ValueError for a market that a jump of its asset on its venue does not move alone."""
    for market in scenario.markets:
        if market.id not in direction.weights:
            continue
        moved = [
            other.id
            for other in scenario.markets
            if other.venue == market.venue and market.base in (other.base, other.quote)
        ]
        if len(moved) > 1:
            raise ValueError(
                f"a jump of {market.base} on {market.venue} moves {', '.join(moved)} together; "
                f"name the asset, or a market that is the only one of its base there"
            )


def _jumped(
    scenario: Scenario, direction: Direction, size: float, horizon: float | None
) -> Scenario:
    """Return the scenario with one jump at 0 s in the place of its shocks."""
    data: dict[str, Any] = resolved(scenario)
    numbers = scenario.market_numbers()
    data["shocks"] = []
    for name, weight in direction.weights.items():
        if weight * size == 0.0:
            continue
        jump: dict[str, Any] = {"kind": "jump", "at": 0.0, "asset": name, "return": weight * size}
        if name in numbers:
            market = scenario.markets[numbers[name]]
            jump |= {"asset": market.base, "venue": market.venue}
        data["shocks"].append(jump)
    data["record"]["checkpoints"] = []
    if horizon is not None:
        data["clock"]["horizon"] = horizon
        data["record"]["every"] = None
    return load_mapping(data, scenario.source.base_dir)
