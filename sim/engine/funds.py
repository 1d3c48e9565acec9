"""Insurance funds at work: what each may pay, and what it is told when its money changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, IntArray, sums
from sim.engine.waterfall import (
    fund_price,
    fund_rows,
    fund_size,
    has_fund_per_contract,
    row_value,
)
from sim.models.waterfall import cover_in_order, largest_first, loss_shares

if TYPE_CHECKING:
    from sim.engine.world import World


class Share(NamedTuple):
    """What one fund is asked for.

    Attributes
    ----------
    row : int
        Ledger row of the fund.
    part : (N,) float64 [numeraire]
        Part of each loss for which it stands.
    """

    row: int
    part: FloatArray


def fund_shares(world: World, venue: int, rows: IntArray, loss: FloatArray) -> list[Share]:
    """Split the losses (N,) of accounts over the funds of their clearer.

    One fund stands behind all of a loss. Funds of contracts stand for the part that their
    contract lost; what was lost in contracts of other venues has no fund here.
    """
    if not has_fund_per_contract(world, venue):
        return [Share(world.plan.first_fund + venue, loss)]
    closings, ledger = world.waterfall.closings, world.ledger
    assert closings is not None
    slots, owner = ledger.slots(rows)
    market = ledger.market[slots].astype(np.int64)
    result = closings.realised[slots] * world.quote_price[market]
    part = loss[owner] * loss_shares(owner, result, len(rows))
    found = []
    for row in fund_rows(world, venue):
        mine = market == row - world.plan.first_contract_fund
        # Rounding of the shares must not ask for more than the loss.
        asked = np.minimum(sums(owner[mine], part[mine], len(rows)), loss)
        found.append(Share(row, asked))
    return found


def fund_payments(
    world: World, venue: int, rows: IntArray, loss: FloatArray
) -> list[tuple[int, FloatArray]]:
    """Return what each fund of a clearer would pay (N,) [numeraire] of losses, largest first."""
    found = []
    for row, part in fund_shares(world, venue, rows, loss):
        order, paid = largest_first(part), np.zeros(len(part))
        paid[order] = cover_in_order(part[order], row_value(world, row))
        found.append((row, paid))
    return found


def behind_the_line(
    world: World, venue: int, rows: IntArray, loss: FloatArray, drawdown: float
) -> BoolArray:
    """Return which losses (N,) a fund would meet from below the line of its drawdown.

    Losses are presented largest first, and each fund is looked at as it stands before each;
    true where any fund behind the loss then stands at or below ``(1 - drawdown) peak``. Funds are
    counted in their settlement asset, so that a fall of its value is no drawdown.
    """
    found = np.zeros(len(rows), dtype=bool)
    for row, part in fund_shares(world, venue, rows, loss):
        value = row_value(world, row)
        note_fund(world, row)
        peak = world.waterfall.peaks[row].at(world.tick) * fund_price(world, row)
        line = (1.0 - drawdown) * peak
        order = largest_first(part)
        paid = cover_in_order(part[order], value)
        before = value - (np.cumsum(paid) - paid)
        found[order] |= (part[order] > 0.0) & (before <= line)
    return found


def note_fund(world: World, row: int) -> None:
    """Note what a fund now holds, where its peak matters."""
    peak = world.waterfall.peaks.get(row)
    if peak is not None:
        peak.note(world.tick, fund_size(world, row))


def note_funds(world: World) -> None:
    """Note what all funds now hold whose peak matters."""
    for row in world.waterfall.peaks:
        note_fund(world, row)


def fee_receivers(world: World, clearer: IntArray, market: IntArray) -> IntArray:
    """Return the ledger row (N,) that receives each liquidation fee."""
    to_fund = np.array([rule.fee_to == "insurance_fund" for rule in world.rules])[clearer]
    receiver = np.where(to_fund, fund_of(world, clearer, market), world.plan.first_house + clearer)
    return np.asarray(receiver, dtype=np.int64)


def fund_of(world: World, clearer: IntArray, market: IntArray) -> IntArray:
    """Return the ledger row (N,) of the fund of a clearer that stands behind a market."""
    plan = world.plan
    row = plan.first_fund + clearer
    if plan.contract_funds:
        split = [has_fund_per_contract(world, v) for v in range(len(world.rules))]
        own = np.array(split)[clearer] & (world.board.venue[market] == clearer)
        row = np.where(own, plan.first_contract_fund + market, row)
    return np.asarray(row, dtype=np.int64)


def pool_fund(world: World, venue: int, row: int) -> None:
    """Turn what a fund holds in other assets (fees) into its settlement asset at the desk."""
    ledger, desk = world.ledger, world.plan.desk
    own = int(world.settlement[venue])
    price = world.asset_price[world.columns]
    for column in range(len(world.columns)):
        held = float(ledger.balance[row, column])
        if column != own and held > 0.0:
            ledger.transfer(row, desk, column, held, "fund conversion")
            bought = held * float(price[column] / price[own])
            ledger.transfer(desk, row, own, bought, "fund conversion")
