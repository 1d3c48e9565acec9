"""Auto-deleveraging at work: the bankrupt are closed against winners of the same clearer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, IntArray, sums
from sim.engine.losses import record_losses, settle_closed
from sim.models.waterfall.adl import match_queues, profit_leverage_score

if TYPE_CHECKING:
    from sim.engine.batch import ForcedOrders
    from sim.engine.world import World

FARTHEST = 1.0
"""Largest distance of a bankruptcy price from the mark, as a share of the mark."""


def deleverage(world: World, orders: ForcedOrders, diverted: BoolArray) -> IntArray:
    """Close diverted accounts against winners at their bankruptcy prices.

    Every position of a diverted account has the same relative distance to its bankruptcy
    price, ``equity / gross notional``: filled there, the account is left with nothing and
    owes nothing. The distance is at most `FARTHEST`; what an account then still owes walks
    down the waterfall. No book is needed, only a venue that is up. Both sides are booked and
    recorded.

    Returns
    -------
    (W,) int64
        Rows of the winners that were reduced.
    """
    board, ledger = world.board, world.ledger
    mine = diverted[orders.owner] & board.up[board.venue[ledger.market[orders.slots]]]
    slots, owner = orders.slots[mine], orders.owner[mine]
    rows = orders.rows[owner]
    market = ledger.market[slots].astype(np.int64)
    distance = (orders.equity / world.out.notional[orders.rows])[owner]
    distance = np.clip(distance, -FARTHEST, FARTHEST)
    price = board.mark[market] * (1.0 - np.sign(ledger.quantity[slots]) * distance)
    # Largest debtor first; the order of rows decides between equals.
    queue = np.argsort(orders.equity[owner], kind="stable")
    winners: list[IntArray] = []
    clearer = world.clearer[rows].astype(np.int64)
    for v in np.unique(clearer):
        for m in np.unique(market[clearer == v]):
            for side in (1.0, -1.0):
                chosen = queue[
                    ((clearer == v) & (market == m) & (np.sign(ledger.quantity[slots]) == side))[
                        queue
                    ]
                ]
                if len(chosen):
                    pick = slots[chosen], price[chosen]
                    winners.append(_close_side(world, int(v), int(m), side, *pick))
    generation = world.label[rows].max(initial=0)
    hit = np.unique(np.concatenate(winners) if winners else np.empty(0, dtype=np.int64))
    if len(hit):
        world.liquidated[rows] = True
        record_losses(world, settle_closed(world, np.unique(rows)), "adl", int(generation))
        record_losses(world, settle_closed(world, hit, by_force=False), "adl", int(generation))
    return hit


def ranked_winners(world: World, venue: int, market: int, side: float) -> IntArray:
    """Return position slots of a clearer's winners opposite to `side`, best score first."""
    ledger, board = world.ledger, world.board
    last = int(ledger.position_start[world.accounts])
    quantity = ledger.quantity[:last]
    slots = np.flatnonzero((ledger.market[:last] == market) & (quantity * side < 0.0))
    rows = ledger.position_row[slots].astype(np.int64)
    slots = slots[(world.clearer[rows] == venue) & (world.label[rows] < 0)]
    rows = ledger.position_row[slots].astype(np.int64)
    world.revalue(np.unique(rows))
    size = quantity[slots] * board.multiplier[market]
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
