"""Losses that other accounts bear: gains haircut, socialised loss, tear-up.

They wait for the waterfall phase, when no batch is under way. The layers take in the order
written, and what accounts cannot pay is the clearer's own loss.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import FloatArray, IntArray, sums
from sim.engine.layers import clear_debt, gains_to_give, settlement_price, unrealised_profit
from sim.engine.losses import Borne, record_losses
from sim.models.waterfall import gains_haircut, socialise_weights, water_fill
from sim.schema.waterfall import GainsHaircut, Socialise, TearUp

if TYPE_CHECKING:
    from sim.engine.world import World


def spread_losses(world: World) -> bool:
    """Spread the losses that wait over other accounts of their clearers.

    Returns
    -------
    bool
        Whether anybody paid, so that accounts must be looked at again.
    """
    if not world.deficits:
        world.waterfall.forget_torn()
        return False
    for v in sorted(world.deficits):
        _spread_one(world, v, world.deficits[v])
    world.deficits.clear()
    world.waterfall.forget_torn()
    return True


def _spread_one(world: World, venue: int, deficits: dict[int, float]) -> None:
    debtors = np.array(sorted(deficits), dtype=np.int64)
    owed = np.array([deficits[int(row)] for row in debtors])
    rows = np.flatnonzero(world.clearer[: world.accounts] == venue)
    rows = rows[~np.isin(rows, debtors)]
    left = float(owed.sum())
    for layer in world.waterfall.layers[venue]:
        world.revalue(rows)
        if isinstance(layer, GainsHaircut):
            paid = _haircut(world, venue, rows, left)
        elif isinstance(layer, TearUp):
            torn = world.waterfall.torn[venue]
            weight = np.array([torn.get(row, 0.0) for row in rows.tolist()])
            paid = water_fill(left, weight, np.maximum(world.out.equity[rows], 0.0))
        elif isinstance(layer, Socialise) and layer.basis == "counterparties":
            paid = _by_counterparties(world, rows, debtors, owed * (left / owed.sum()))
        elif isinstance(layer, Socialise):
            paid = _socialised(world, rows, layer.basis, left)
        else:
            continue
        _collect(world, venue, rows, paid, layer.kind)
        left = max(left - float(paid.sum()), 0.0)
    house = world.plan.first_house + venue
    clear_debt(world, debtors, house, np.ones(len(debtors)), "socialised loss")
    world.flows.house_loss[venue] += left
    _forget(world, debtors)
    for generation in np.unique(world.loss_generation[debtors]):
        mine = world.loss_generation[debtors] == generation
        lost = Borne(debtors[mine], owed[mine])
        record_losses(world, lost, "socialise", int(generation))


def _collect(world: World, venue: int, rows: IntArray, paid: FloatArray, kind: str) -> None:
    """Move what accounts pay to the clearer, which clears the debts with it."""
    column, house = int(world.settlement[venue]), world.plan.first_house + venue
    reason = "socialised loss" if kind == "socialise" else kind.replace("_", " ")
    world.ledger.transfer(rows, house, column, paid / settlement_price(world, venue), reason)
    world.flows.paid_by(kind)[venue] += float(paid.sum())


def _socialised(world: World, rows: IntArray, basis: str, loss: float) -> FloatArray:
    equity = world.out.equity[rows]
    profit, notional = unrealised_profit(world, rows), world.out.notional[rows]
    weight = socialise_weights(basis, equity, profit, notional)
    return water_fill(loss, weight, np.maximum(equity, 0.0))


def _haircut(world: World, venue: int, rows: IntArray, loss: float) -> FloatArray:
    members = world.waterfall.members[venue]
    paid = gains_haircut(loss, gains_to_give(world, venue, rows), world.out.equity[rows])
    members.given[members.place(rows)] += paid
    return paid


def _by_counterparties(
    world: World, rows: IntArray, debtors: IntArray, owed: FloatArray
) -> FloatArray:
    """Spread each debt over the positions opposite to those that made it (R,) [numeraire].

    Debtors who held the same sides of the same markets share one spread. Of a debtor whose
    positions are not known all positions of survivors count.
    """
    ledger, board = world.ledger, world.board
    slots, owner = ledger.slots(rows)
    market = ledger.market[slots].astype(np.int64)
    size = ledger.quantity[slots] * board.multiplier[market] * board.mark[market]
    value = size * world.quote_price[market]
    equity = world.out.equity[rows]
    capacity, total = np.maximum(equity, 0.0), np.zeros(len(rows))
    for held, debt in sorted(_debts_by_side(world, debtors, owed).items()):
        side = np.zeros(len(board.ids))
        for m, sign in held:
            side[m] = sign
        counted = np.abs(value) if not held else np.maximum(-side[market] * value, 0.0)
        notional = sums(owner, counted, len(rows))
        weight = socialise_weights("counterparties", equity, equity, notional)
        paid = water_fill(debt, weight, capacity)
        total += paid
        capacity = np.maximum(capacity - paid, 0.0)
    return total


def _debts_by_side(
    world: World, debtors: IntArray, owed: FloatArray
) -> dict[tuple[tuple[int, float], ...], float]:
    """Return the debts by the markets and sides (1 long, -1 short) that the debtors held."""
    closings, ledger = world.waterfall.closings, world.ledger
    assert closings is not None
    found: dict[tuple[tuple[int, float], ...], float] = {}
    for row, debt in zip(debtors.tolist(), owed.tolist(), strict=True):
        slots = np.arange(ledger.position_start[row], ledger.position_start[row + 1])
        closed = closings.closed[slots]
        markets = ledger.market[slots[closed != 0.0]].tolist()
        signs = np.sign(closed[closed != 0.0]).tolist()
        held = tuple(sorted(zip(markets, signs, strict=True)))
        found[held] = found.get(held, 0.0) + debt
    return found


def _forget(world: World, rows: IntArray) -> None:
    closings = world.waterfall.closings
    if closings is not None:
        closings.forget(world.ledger.slots(rows)[0])
