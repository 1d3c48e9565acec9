"""Auto-deleveraging at work: the bankrupt are closed against winners of the same clearer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, Int32Array, IntArray, blocks, sums
from sim.engine.losses import record_losses, settle_closed
from sim.models.waterfall.adl import match_queues, profit_leverage_score

if TYPE_CHECKING:
    from sim.engine.orders import ForcedOrders
    from sim.engine.world import World

FARTHEST = 1.0
"""Largest distance of a bankruptcy price from the mark, as a share of the mark."""


def deleverage(world: World, orders: ForcedOrders, diverted: BoolArray) -> IntArray:
    """Close diverted accounts against winners at their bankruptcy prices.

    Every position of a diverted account has the same relative distance to its bankruptcy
    price, ``equity / gross notional``: filled there, the account is left with nothing and
    owes nothing. The distance is at most `FARTHEST`; what an account then still owes walks
    down the waterfall. No book is needed, only a venue that is up and a market that is not
    halted. Both sides are booked and recorded.

    Returns
    -------
    (W,) int64
        Rows of the winners that were reduced.
    """
    board, ledger = world.board, world.ledger
    mine = diverted[orders.owner] & board.open[orders.market]
    slots, owner, market = orders.slots[mine], orders.owner[mine], orders.market[mine]
    rows, clearer = orders.rows[owner], orders.clearer[owner]
    distance = (orders.equity / world.out.notional[orders.rows])[owner]
    distance = np.clip(distance, -FARTHEST, FARTHEST)
    sign = np.sign(ledger.quantity[slots])
    price = board.mark[market] * (1.0 - sign * distance)
    # Largest debtor first; the order of rows decides between equals.
    queue = np.argsort(orders.equity[owner], kind="stable")
    winners: list[IntArray] = []
    code = (clearer * len(board.ids) + market)[queue]
    for key in np.unique(code).tolist():
        v, m = divmod(key, len(board.ids))
        for side in (1.0, -1.0):
            chosen = queue[(code == key) & (sign[queue] == side)]
            if len(chosen):
                winners.append(_close_side(world, v, m, side, slots[chosen], price[chosen]))
    generation = world.label[rows].max(initial=0)
    hit = np.unique(np.concatenate(winners) if winners else np.empty(0, dtype=np.int64))
    if len(hit):
        world.liquidated[rows] = True
        record_losses(world, settle_closed(world, np.unique(rows)), "adl", int(generation))
        record_losses(world, settle_closed(world, hit, by_force=False), "adl", int(generation))
    return hit


def market_slots(world: World, venue: int, market: int) -> Int32Array | IntArray:
    """Return the position slots of a clearer's accounts in a market, ascending.

    They never change; each list is made when it is first asked for.
    """
    known: Int32Array | IntArray | None = world.market_slots.get((venue, market))
    if known is None:
        ledger = world.ledger
        last = int(ledger.position_start[world.accounts])
        found = [
            part.start
            + np.flatnonzero(
                (ledger.market[part] == market)
                & (world.clearer[ledger.position_row[part]] == venue)
            )
            for part in blocks(last)
        ]
        known = np.concatenate(found) if found else np.empty(0, dtype=np.int64)
        if last <= np.iinfo(np.int32).max:
            known = known.astype(np.int32)
        world.market_slots[venue, market] = known
    return known


def ranked_winners(world: World, venue: int, market: int, side: float) -> IntArray:
    """Return position slots of a clearer's winners opposite to `side`, best score first."""
    ledger, board = world.ledger, world.board
    listed = market_slots(world, venue, market)
    slots = listed[ledger.quantity[listed] * side < 0.0].astype(np.int64)
    slots = slots[world.label[ledger.position_row[slots]] < 0]
    rows = ledger.position_row[slots].astype(np.int64)
    world.revalue(np.unique(rows))
    size = ledger.quantity[slots] * board.multiplier[market]
    worth = float(world.quote_price[market])
    score = profit_leverage_score(
        size * (board.mark[market] - ledger.entry_price[slots]) * worth,
        np.abs(size) * ledger.entry_price[slots] * worth,
        world.out.notional[rows],
        world.out.equity[rows],
    )
    order = np.argsort(-score, kind="stable")
    ranked: IntArray = slots[order][np.isfinite(score[order])]
    return ranked


def _close_side(
    world: World, venue: int, market: int, side: float, slots: IntArray, price: FloatArray
) -> IntArray:
    ledger = world.ledger
    winners = ranked_winners(world, venue, market, side)
    loser_size, winner_size = np.abs(ledger.quantity[slots]), np.abs(ledger.quantity[winners])
    match = match_queues(loser_size, winner_size)
    if not len(match.quantity):
        return np.empty(0, dtype=np.int64)
    paid = price[match.loser]
    label = world.label[ledger.position_row[slots]]
    generation = max(int(label.max(initial=0)), 0)
    for queue, index, sizes, sign in (
        (slots, match.loser, loser_size, -side),
        (winners, match.winner, winner_size, side),
    ):
        total = sums(index, match.quantity, len(queue))
        value = sums(index, match.quantity * paid, len(queue))
        hit = total > 0.0
        # Rounding of the queue sums must not leave dust in a position that is closed whole.
        whole = np.abs(total - sizes) <= 1e-12 * sizes.sum()
        change = np.where(whole, sizes, total)[hit] * sign
        average = (value[hit] / total[hit]).copy()
        _book(world, venue, market, queue[hit], change, average, generation)
    return ledger.position_row[winners[np.unique(match.winner)]].astype(np.int64)


def _book(
    world: World,
    venue: int,
    market: int,
    slots: IntArray,
    change: FloatArray,
    price: FloatArray,
    generation: int,
) -> None:
    """Fill one side of an ADL match and record it."""
    ledger, board = world.ledger, world.board
    rows = ledger.position_row[slots].astype(np.int64)
    entry_equity = world.out.equity[rows] / np.where(
        world.out.notional[rows] > 0.0, world.out.notional[rows], 1.0
    )
    bankrupt = board.mark[market] * (1.0 + np.sign(change) * entry_equity)
    ledger.fill(slots, change, price, "adl")
    nominal = np.abs(change) * board.multiplier[market] * board.mark[market]
    world.flows.adl[venue] += float(nominal.sum()) * float(world.quote_price[market]) / 2.0
    size = len(slots)
    world.events.add(
        world.tick,
        "adl",
        generation=np.full(size, generation),
        clearer=np.full(size, venue),
        market=np.full(size, market),
        row=rows,
        quantity=change,
        mark_price=np.full(size, board.mark[market]),
        close_out_price=price,
        bankruptcy_price=bankrupt,
        notional=nominal,
        fee=np.zeros(size),
        shortfall=np.zeros(size),
    )
