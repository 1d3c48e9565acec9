"""Sums that must agree in the result of any run."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sim


def leaves(value: Any, name: str = "") -> dict[str, Any]:
    """Return the leaves of nested mappings by path."""
    if not isinstance(value, dict):
        return {name: value}
    return {k: v for key, part in value.items() for k, v in leaves(part, f"{name}.{key}").items()}


def check_identities(result: sim.Result, world: dict[str, Any]) -> None:
    """Check conservation, causes, losses and forced trades, and that figures are finite."""
    summary, prices = result.summary, result.prices
    assert summary["conservation_error"] < 1e-9
    assert all(math.isfinite(x) for x in leaves(summary).values() if isinstance(x, float))
    causes_add_up(result)
    losses_add_up(result)
    forced_trades_add_up(result, world)
    for table in (result.venues, result.cohorts, result.liquidations, result.price_causes):
        assert np.isfinite(table.select_dtypes("number").to_numpy(dtype=float)).all()
    assert (prices[["last_price", "mark_price", "index_price"]] > 0.0).all().all()


def causes_add_up(result: sim.Result) -> None:
    """Causes sum to the log move of each market at each recorded tick."""
    # Forced moves keep their own tick, also between two recorded ones.
    booked = result.price_causes.pivot_table(
        index="tick", columns=["venue", "symbol"], values="price_move", aggfunc="sum"
    )
    ticks = range(result.summary["ticks"])
    booked = booked.reindex(ticks).fillna(0.0).cumsum()
    for (venue, symbol), rows in result.prices.groupby(["venue", "symbol"]):
        initial = result.summary["markets"][f"{venue}/{symbol}"]["initial_price"]
        move = np.log(rows["last_price"].to_numpy() / initial)
        none = pd.Series(0.0, index=ticks)
        total = booked.get((venue, symbol), none)[rows["tick"]].to_numpy()
        np.testing.assert_allclose(total, move, rtol=0, atol=1e-12)


def losses_add_up(result: sim.Result) -> None:
    """What was lost is what fund, survivors and venue bore, over all and per venue."""
    for part in (result.summary, *result.summary["venues"].values()):
        borne = part["insurance_fund_used"] + part["socialised_loss"] + part["uncovered_shortfall"]
        assert borne == pytest.approx(part["shortfall"], rel=1e-9, abs=1e-9)
        assert min(borne, part["insurance_fund_used"], part["uncovered_shortfall"]) >= 0.0
    assert result.venues["shortfall"].sum() == pytest.approx(result.summary["shortfall"])
    assert (result.venues["insurance_fund"] >= -1e-9).all()


def forced_trades_add_up(result: sim.Result, world: dict[str, Any]) -> None:
    """Deleveraging has two sides; the notional sold is that of the rows."""
    rows, summary = result.liquidations, result.summary
    adl = rows[rows["kind"] == "adl"].groupby(["tick", "venue", "symbol"])["quantity"]
    assert (adl.sum().abs() <= 1e-9 * adl.apply(lambda q: q.abs().sum())).all()
    assert rows["shortfall"].sum() == pytest.approx(summary["shortfall"], abs=1e-9)
    moved = {x for s in world["shocks"] for x in (s.get("asset"), *s.get("assets", ()))}
    if "USDT" not in moved and "USDC" not in world["assets"]:
        sold = rows.loc[rows["kind"] == "market", "notional"].sum()
        assert sold == pytest.approx(summary["liquidated_notional"], rel=1e-9)
        both = rows.loc[rows["kind"] == "adl", "notional"].sum()
        assert both == pytest.approx(2 * summary["adl_notional"], rel=1e-9)
