"""Layers that pay out of money that is there: funds, contributions, assessments.

They pay at the settlement of a closed account, one layer after the other in the order written;
what they would pay also decides who is deleveraged before a batch.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, IntArray, sums
from sim.engine.funds import fund_payments, note_funds, pool_fund
from sim.engine.waterfall import row_value
from sim.models.waterfall import (
    assessment_room,
    cover_in_order,
    draw_contributions,
)
from sim.schema.waterfall import (
    Assessments,
    DefaultFund,
    GainsHaircut,
    InsuranceFund,
    OwnContribution,
    SkinInTheGame,
)

if TYPE_CHECKING:
    from sim.engine.world import World
    from sim.schema import Layer

Payments = list[tuple[int, FloatArray]]
"""Ledger rows that pay, and what each pays of every loss (N,) [numeraire]."""


def payments(
    world: World,
    venue: int,
    layer: Layer,
    rows: IntArray,
    left: FloatArray,
    spent: dict[int, float] | None = None,
) -> Payments:
    """Return what a layer pays of losses, without moving anything.

    Parameters
    ----------
    world : World
    venue : int
    layer : Layer
    rows : (N,) int64
        Accounts, largest loss first.
    left : (N,) float64 [numeraire], >= 0
        What earlier layers left.
    spent : dict, optional
        What earlier layers would have taken from ledger rows [numeraire].
    """
    spent, plan = spent or {}, world.plan
    if isinstance(layer, InsuranceFund):
        return fund_payments(world, venue, rows, left)
    if isinstance(layer, OwnContribution):
        members = world.waterfall.members[venue]
        own = members.left[members.place(rows)] * settlement_price(world, venue)
        fund = plan.first_default_fund + venue
        # Rounding of the contributions must not ask for more than the fund has.
        return [(fund, cover_in_order(np.minimum(left, own), row_value(world, fund)))]
    if isinstance(layer, SkinInTheGame | DefaultFund):
        first = plan.first_skin if isinstance(layer, SkinInTheGame) else plan.first_default_fund
        row = first + venue
        return [(row, cover_in_order(left, row_value(world, row) - spent.get(row, 0.0)))]
    if isinstance(layer, Assessments):
        room = float(_room(world, venue, layer, rows).sum())
        return [(plan.world, cover_in_order(left, room))]
    return []


def settlement_price(world: World, venue: int) -> float:
    """Return the value of one unit of a clearer's settlement asset [numeraire]."""
    return float(world.asset_price[world.columns[world.settlement[venue]]])


def covered(world: World, venue: int, rows: IntArray, loss: FloatArray, kind: str) -> FloatArray:
    """Return what the layers before the one of a kind could pay of losses (N,) [numeraire].

    Losses are in order, largest first. A gains haircut counts with all that the winners have
    and that losses which already wait for it do not take.
    """
    paid, left = np.zeros(len(loss)), loss
    spent: dict[int, float] = defaultdict(float)
    for layer in world.waterfall.layers[venue]:
        if layer.kind == kind:
            break
        if isinstance(layer, GainsHaircut):
            found = [(-1, cover_in_order(left, _gains_left(world, venue, rows)))]
        else:
            found = payments(world, venue, layer, rows, left, spent)
        for row, part in found:
            spent[row] += float(part.sum())
            paid, left = paid + part, left - part
    return paid


def pay(world: World, venue: int, rows: IntArray, debt: FloatArray, dust: BoolArray) -> FloatArray:
    """Let the layers pay the debts of closed accounts, in the order written.

    Parameters
    ----------
    world : World
    venue : int
    rows : (N,) int64
        Largest debt first.
    debt : (N,) float64 [numeraire], > 0
    dust : (N,) bool
        Debts that are rounding; no layer is asked for them.

    Returns
    -------
    (N,) float64 [numeraire]
        What all layers together paid.
    """
    paid = np.zeros(len(debt))
    wanted = np.where(dust, 0.0, debt)
    _note_defaults(world, venue, rows[~dust])
    note_funds(world)  # what came in since they last paid
    for layer in world.waterfall.layers[venue]:
        total = np.zeros(len(debt))
        for row, part in payments(world, venue, layer, rows, wanted):
            left = debt - paid
            share = np.divide(part, left, out=np.zeros(len(debt)), where=left > 0.0)
            if row != world.plan.world:
                pool_fund(world, venue, row)
            clear_debt(world, rows, row, np.minimum(share, 1.0), layer.kind.replace("_", " "))
            paid, total = paid + part, total + part
        wanted = np.maximum(wanted - total, 0.0)
        _book(world, venue, layer, rows, total)
    note_funds(world)
    return paid


def clear_debt(world: World, rows: IntArray, payer: int, share: FloatArray, reason: str) -> None:
    """Let a fund or clearer pay the given share (N,) of every debt of `rows`.

    It pays in its settlement asset; the desk turns that into what is owed.
    """
    if not len(rows):
        return
    ledger, desk = world.ledger, world.plan.desk
    own = int(world.settlement[world.clearer[rows[0]]])
    price = world.asset_price[world.columns]
    for column in range(len(world.columns)):
        paid = np.maximum(-ledger.balance[rows, column], 0.0) * share
        if column == own:
            ledger.transfer(payer, rows, column, paid, reason)
        elif paid.any():
            ledger.transfer(
                payer, desk, own, float(paid.sum() * price[column] / price[own]), reason
            )
            ledger.transfer(desk, rows, column, paid, reason)


def _book(world: World, venue: int, layer: Layer, rows: IntArray, paid: FloatArray) -> None:
    """Add up what a layer paid, and take it from the members it came from."""
    total = float(paid.sum())
    if total <= 0.0:
        return
    world.flows.paid_by(layer.kind)[venue] += total
    if venue not in world.waterfall.members:
        return
    members = world.waterfall.members[venue]
    if isinstance(layer, OwnContribution):
        place, price = members.place(rows), settlement_price(world, venue)
        members.left[place] = np.maximum(members.left[place] - paid / price, 0.0)
    elif isinstance(layer, DefaultFund):
        members.left = draw_contributions(members.left, total / settlement_price(world, venue))
    elif isinstance(layer, Assessments):
        room = _room(world, venue, layer, rows)
        members.called = members.called + room * (total / room.sum())


def _note_defaults(world: World, venue: int, rows: IntArray) -> None:
    members = world.waterfall.members.get(venue)
    if members is not None:
        members.defaulted[members.place(rows)] = True


def _room(world: World, venue: int, layer: Assessments, rows: IntArray) -> FloatArray:
    """Return what each member but the defaulters `rows` can still be asked for [numeraire]."""
    members = world.waterfall.members[venue]
    defaulted = members.defaulted.copy()
    defaulted[members.place(rows)] = True
    opening = members.opening * settlement_price(world, venue)
    return assessment_room(opening, members.called, defaulted, layer.multiple)


def _gains_left(world: World, venue: int, rows: IntArray) -> float:
    """Return what winners other than `rows` could give up for their losses [numeraire]."""
    members = world.waterfall.members[venue]
    found = members.rows[~np.isin(members.rows, rows)]
    world.revalue(found)
    gain = gains_to_give(world, venue, found)
    most = float(np.minimum(gain, np.maximum(world.out.equity[found], 0.0)).sum())
    return max(most - sum(world.deficits.get(venue, {}).values()), 0.0)


def gains_to_give(world: World, venue: int, rows: IntArray) -> FloatArray:
    """Return the gains (N,) of members that a haircut may still take [numeraire].

    A tear-up comes after the haircut, though it closes contracts before losses are spread: the
    gains that it realised in this tick count as well.
    """
    members = world.waterfall.members[venue]
    gain = unrealised_profit(world, rows) + world.waterfall.realised_gain(venue, rows)
    return np.maximum(gain - members.given[members.place(rows)], 0.0)


def unrealised_profit(world: World, rows: IntArray) -> FloatArray:
    """Return the sum of the gains of each account's winning positions (N,) [numeraire]."""
    ledger, board = world.ledger, world.board
    slots, owner = ledger.slots(rows)
    market = ledger.market[slots].astype(np.int64)
    gain = ledger.quantity[slots] * (board.mark[market] - ledger.entry_price[slots])
    value = gain * board.multiplier[market] * world.quote_price[market]
    return sums(owner, np.maximum(value, 0.0), len(rows))
