"""The figures of a run on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sim.cascade import Cascade
from sim.engine.opening import Opening, wealth
from sim.schema.waterfall import paying_layers

if TYPE_CHECKING:
    import pandas as pd

    from sim.engine.recorder import Recorder
    from sim.engine.world import World

Summary = dict[str, Any]


def summarise(
    world: World, recorder: Recorder, tables: dict[str, pd.DataFrame], run_id: str, seed: int
) -> Summary:
    """Return the summary of a finished run.

    Notes
    -----
    ``layers`` of a venue says what each layer paid of the shortfalls; together they are the
    ``shortfall``. ``adl_cost`` is what the deleveraged gave up against the mark, and no part of it.
    ``open_interest`` [contracts, one side] and ``outside_quantity`` [contracts, signed] are those
    at the start; the outside liquidity takes the other side of what traders do not offset.
    ``exogenous_move`` of a market is the part of its price move, as a share of the initial
    price, that exogenous returns made; ``amplification`` is the whole move over it. Both are
    taken at the tick where the price stood farthest from where it began, so that a later
    recovery does not hide the fall.
    """
    events = tables["liquidations"]
    generation = events["generation"].to_numpy()[(events["symbol"] != "").to_numpy()]
    totals = world.totals
    liquidated = world.liquidated
    opening = recorder.opening
    assert opening is not None
    cascade = Cascade(
        liquidations=events,
        price_causes=tables["price_causes"],
        prices=tables["prices"],
        venues=tables["venues"],
    )
    return {
        "scenario": world.scenario.name,
        "run_id": run_id,
        "seed": seed,
        "ticks": world.clock.ticks,
        "accounts": world.accounts,
        "accounts_liquidated": int(liquidated.sum()),
        "accounts_still_liquidatable": int((world.label >= 0).sum()),
        "traders": len(world.wallet_row),
        "traders_liquidated": len(np.unique(world.trader[liquidated])),
        "generations": int(generation.max(initial=-1)) + 1,
        "liquidated_notional": float(totals.liquidated.sum()),
        "backstop_notional": float(totals.backstop.sum()),
        "adl_notional": float(totals.adl.sum()),
        "shortfall": float(totals.shortfall.sum()),
        "insurance_fund_used": float(totals.fund_used.sum()),
        "socialised_loss": float(totals.socialised.sum()),
        "uncovered_shortfall": float(totals.house_loss.sum()),
        "fees": float(totals.fees.sum()),
        "traders_loss": opening.wealth - wealth(world, recorder.cells),
        "branching_ratio": float(cascade.branching_ratio),
        "price_floor_hits": world.board.floor_hits,
        "conservation_error": recorder.worst_conservation,
        "wall_seconds": 0.0,
        "markets": _markets(world, recorder, events),
        "venues": _venues(world, recorder, opening),
    }


def _markets(world: World, recorder: Recorder, events: pd.DataFrame) -> dict[str, Any]:
    board = world.board
    # What keepers buy in auctions of collateral they sell on the market.
    keepers = [n for n, v in world.scenario.venues.items() if v.liquidation.kind == "auction"]
    sold = (events["kind"] == "market") | (
        (events["kind"] == "auction") & events["clearer"].isin(keepers)
    )
    market_rows = events.loc[sold, ["venue", "symbol", "notional"]]
    by_market = market_rows.groupby(["venue", "symbol"])["notional"].sum()
    markets = {}
    for m, market in enumerate(world.scenario.markets):
        initial = float(board.initial[m])
        exogenous = float(recorder.exogenous_then[m])
        markets[market.id] = {
            "open_interest": float(recorder.opening_interest[m]),
            "outside_quantity": float(recorder.opening_outside[m]),
            "initial_price": initial,
            "final_price": float(board.last[m]),
            "min_price": float(recorder.lowest[m]),
            "max_drawdown": float(recorder.drawdown[m]),
            "exogenous_move": exogenous / initial,
            "amplification": float(recorder.move_then[m]) / exogenous if exogenous else None,
            "liquidated_notional": float(by_market.get((market.venue, market.symbol), 0.0)),
        }
    return markets


def _venues(world: World, recorder: Recorder, opening: Opening) -> dict[str, Any]:
    totals = world.totals
    clearer = world.clearer[: world.accounts]
    size = len(world.venue_names)
    accounts = np.bincount(clearer, minlength=size)
    broken = np.bincount(clearer[world.liquidated], minlength=size)
    equity = recorder.cells.by_clearer(recorder.cells.equity())
    return {
        name: {
            "accounts": int(accounts[v]),
            "accounts_liquidated": int(broken[v]),
            "opening_equity": float(opening.equity[v]),
            "opening_maintenance": float(opening.maintenance[v]),
            "equity": float(equity[v]),
            "liquidated_notional": float(totals.liquidated[v]),
            "backstop_notional": float(totals.backstop[v]),
            "adl_notional": float(totals.adl[v]),
            "shortfall": float(totals.shortfall[v]),
            "insurance_fund": world.fund_value(v),
            "insurance_fund_used": float(totals.fund_used[v]),
            "socialised_loss": float(totals.socialised[v]),
            "uncovered_shortfall": float(totals.house_loss[v]),
            "adl_cost": float(totals.adl_cost[v]),
            "layers": _layers(world, v),
        }
        for v, name in enumerate(world.venue_names)
    }


def _layers(world: World, venue: int) -> dict[str, float]:
    """Return what each layer of a clearer paid of its shortfalls, and the clearer itself."""
    kinds = paying_layers(layer.kind for layer in world.waterfall.layers[venue])
    return {kind: float(world.totals.paid_by(kind)[venue]) for kind in kinds}
