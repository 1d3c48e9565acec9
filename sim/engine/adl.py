"""Auto-deleveraging at work: the bankrupt are closed against others of the same clearer."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, Int32Array, IntArray, blocks, sums
from sim.engine.divert import closing_layer, overvalued
from sim.engine.fees import remainder_fees
from sim.engine.losses import DUST, note_fills, record_losses, settle_closed
from sim.models.waterfall import (
    SCORES,
    SHARING,
    Opposite,
    match_queues,
    random_start,
    take_in_order,
    take_shares,
)
from sim.schema.waterfall import Adl

if TYPE_CHECKING:
    from sim.engine.orders import ForcedOrders
    from sim.engine.world import World

FARTHEST = 1.0
"""Largest distance of a bankruptcy price from the mark, as a share of the mark."""

TEAR_UP = Adl(order="pro_rata", price="mark")
"""How a tear-up closes positions: against all winners alike, at the mark."""


class Taken(NamedTuple):
    """What is closed of some positions (N,), and at which average price.

    Attributes
    ----------
    quantity : (N,) float64 [contracts], >= 0
    price : (N,) float64 [quote/base]
        Arbitrary where nothing is closed.
    """

    quantity: FloatArray
    price: FloatArray


def deleverage(world: World, orders: ForcedOrders, diverted: BoolArray) -> IntArray:
    """Close diverted accounts against others, at the price that their clearer's rule says.

    Every position of a diverted account has the same relative distance to its bankruptcy
    price, ``equity / gross notional``, with collateral at no more than its worth: filled there,
    the account is left with nothing and owes nothing. The distance is at most `FARTHEST`. What
    an account then still owes, as all of its debt at a mark, walks down the waterfall; what it
    has left goes where the clearer's fees go, if the clearer takes remainders. No book is
    needed, only a venue that is up and a market that is not halted. Both sides are booked and
    recorded.

    Returns
    -------
    (W,) int64
        Rows of the others that were reduced.
    """
    board, ledger = world.board, world.ledger
    mine = diverted[orders.owner] & board.open[orders.market]
    slots, owner, market = orders.slots[mine], orders.owner[mine], orders.market[mine]
    rows, clearer = orders.rows[owner], orders.clearer[owner]
    held = np.abs(ledger.quantity[slots])
    left = orders.equity - overvalued(world, orders)
    distance = (left / world.out.notional[orders.rows])[owner]
    distance = np.clip(distance, -FARTHEST, FARTHEST)
    sign = np.sign(ledger.quantity[slots])
    bankrupt = board.mark[market] * (1.0 - sign * distance)
    # Largest debtor first; the order of rows decides between equals.
    queue = np.argsort(left[owner], kind="stable")
    hit: list[IntArray] = []
    code = (clearer * len(board.ids) + market)[queue]
    for key in np.unique(code).tolist():
        v, m = divmod(key, len(board.ids))
        price = _fill_prices(world, v, market, bankrupt)
        for side in (1.0, -1.0):
            chosen = queue[(code == key) & (sign[queue] == side)]
            if len(chosen):
                hit.append(_close_side(world, v, m, side, slots[chosen], price[chosen]))
    generation = world.label[rows].max(initial=0)
    others = np.unique(np.concatenate(hit) if hit else np.empty(0, dtype=np.int64))
    if len(others):
        world.liquidated[rows] = True
        record_losses(world, settle_closed(world, np.unique(rows)), "adl", int(generation))
        _take_remainders(world, slots, market, held - np.abs(ledger.quantity[slots]))
        lost = settle_closed(world, others, by_force=False)
        record_losses(world, lost, "adl", int(generation))
    return others


def _take_remainders(world: World, slots: IntArray, market: IntArray, size: FloatArray) -> None:
    """Take what is left of accounts of which positions were closed by a size (S,) [contracts]."""
    ledger = world.ledger
    rows, owner = np.unique(ledger.position_row[slots].astype(np.int64), return_inverse=True)
    held, holder = ledger.slots(rows)
    closed = sums(holder, ledger.quantity[held] != 0.0, len(rows)) == 0.0
    # Filled at its bankruptcy price an account has nothing left but rounding.
    worth = ledger.balance[rows] @ world.asset_price[world.columns]
    closed &= worth > DUST * world.out.notional[rows]
    if closed.any():
        unit = world.board.multiplier * world.board.mark * world.quote_price
        fee = remainder_fees(world, rows, closed, owner, market, size * unit[market])
        world.events.assign_fees(world.tick, rows[owner], market, fee)


def _rule(world: World, venue: int) -> Adl:
    layer = closing_layer(world, venue)
    return layer if isinstance(layer, Adl) else TEAR_UP


def _fill_prices(world: World, venue: int, market: IntArray, bankrupt: FloatArray) -> FloatArray:
    """Return the price (S,) at which a clearer closes each position."""
    kind, marks = _rule(world, venue).price, world.board.mark
    if kind == "bankruptcy":
        return bankrupt
    if kind == "previous_mark" and world.waterfall.previous_mark is not None:
        marks = world.waterfall.previous_mark
    return np.asarray(marks[market])


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


def ranked_opposite(world: World, venue: int, market: int, side: float) -> IntArray:
    """Return position slots of a clearer opposite to `side` that may be reduced, best first."""
    ledger = world.ledger
    listed = market_slots(world, venue, market)
    slots = listed[ledger.quantity[listed] * side < 0.0].astype(np.int64)
    slots = slots[world.label[ledger.position_row[slots]] < 0]
    rows = ledger.position_row[slots].astype(np.int64)
    world.revalue(np.unique(rows))
    order = _rule(world, venue).order
    if order == "random":
        start = float(world.waterfall.generators[venue].random())
        score = random_start(world.out.equity[rows], start)
    else:
        score = SCORES[order](_opposite(world, market, slots, rows, order == "binance"))
    ranking = np.argsort(-score, kind="stable")
    ranked: IntArray = slots[ranking][np.isfinite(score[ranking])]
    return ranked


def _opposite(world: World, market: int, slots: IntArray, rows: IntArray, wallet: bool) -> Opposite:
    """Return what scores are made of; wallet balances only where they are asked for."""
    ledger, board, out = world.ledger, world.board, world.out
    size = ledger.quantity[slots] * board.multiplier[market]
    worth = float(world.quote_price[market])
    entry, mark = ledger.entry_price[slots], board.mark[market]
    return Opposite(
        side=np.sign(size),
        entry_price=entry,
        mark=np.full(len(slots), mark),
        profit=size * (mark - entry) * worth,
        entry_notional=np.abs(size) * entry * worth,
        notional=np.abs(size) * mark * worth,
        gross_notional=out.notional[rows],
        equity=out.equity[rows],
        wallet=out.equity[rows] - (_open_profit(world, rows) if wallet else 0.0),
        maintenance=out.maintenance[rows],
    )


def _open_profit(world: World, rows: IntArray) -> FloatArray:
    """Return the unrealised profit of all positions of each account (N,) [numeraire]."""
    ledger, board = world.ledger, world.board
    slots, owner = ledger.slots(rows)
    m = ledger.market[slots].astype(np.int64)
    gain = ledger.quantity[slots] * (board.mark[m] - ledger.entry_price[slots])
    return sums(owner, gain * board.multiplier[m] * world.quote_price[m], len(rows))


def _close_side(
    world: World, venue: int, market: int, side: float, slots: IntArray, price: FloatArray
) -> IntArray:
    """Close positions of one side, in queue order, against others; return the others' rows."""
    ledger, layer = world.ledger, closing_layer(world, venue)
    others = ranked_opposite(world, venue, market, side)
    held, offered = np.abs(ledger.quantity[slots]), np.abs(ledger.quantity[others])
    if not len(held) or not len(others):
        return np.empty(0, dtype=np.int64)
    if _rule(world, venue).order in SHARING:
        closed, taken = _share_out(world, venue, market, others, held, offered, price)
    else:
        closed, taken = _queue_up(held, offered, price)
    label = world.label[ledger.position_row[slots]]
    generation = max(int(label.max(initial=0)), 0)
    _book(world, venue, market, slots, closed, -side, generation)
    realised = _book(world, venue, market, others, taken, side, generation)
    hit = taken.quantity > 0.0
    rows = ledger.position_row[others[hit]].astype(np.int64)
    size = taken.quantity[hit] * float(world.board.multiplier[market] * world.quote_price[market])
    mark = float(world.board.mark[market])
    # Who buys above the mark, or sells below it, gives that up.
    world.flows.adl_cost[venue] += float((size * side * (taken.price[hit] - mark)).sum())
    if not isinstance(layer, Adl):
        torn, gains = world.waterfall.torn[venue], world.waterfall.torn_gain[venue]
        gained = np.maximum(realised, 0.0) * float(world.quote_price[market])
        for row, value, gain in zip(
            rows.tolist(), (size * mark).tolist(), gained.tolist(), strict=True
        ):
            torn[row] = torn.get(row, 0.0) + value
            gains[row] = gains.get(row, 0.0) + gain
    return rows


def _queue_up(held: FloatArray, offered: FloatArray, price: FloatArray) -> tuple[Taken, Taken]:
    """Pair two queues; each piece trades at the price of the one that is closed."""
    match = match_queues(held, offered)
    paid = price[match.loser]
    found = []
    for index, sizes in ((match.loser, held), (match.winner, offered)):
        total = sums(index, match.quantity, len(sizes))
        value = sums(index, match.quantity * paid, len(sizes))
        average = np.divide(value, total, out=np.zeros(len(sizes)), where=total > 0.0)
        found.append(Taken(_whole(total, sizes), average))
    return found[0], found[1]


def _share_out(
    world: World,
    venue: int,
    market: int,
    others: IntArray,
    held: FloatArray,
    offered: FloatArray,
    price: FloatArray,
) -> tuple[Taken, Taken]:
    """Let all others share; they trade at the average price of those that are closed."""
    rule, ledger = _rule(world, venue), world.ledger
    size = ledger.quantity[others]
    profit = np.maximum(size * (world.board.mark[market] - ledger.entry_price[others]), 0.0)
    given = take_shares(rule.order, float(held.sum()), offered, profit, rule.cap)
    closed = take_in_order(float(given.sum()), held)
    total = float(closed.sum())
    average = float((closed * price).sum() / total) if total > 0.0 else 0.0
    return (
        Taken(_whole(closed, held), price),
        Taken(_whole(given, offered), np.full(len(others), average)),
    )


def _whole(total: FloatArray, sizes: FloatArray) -> FloatArray:
    """Leave no dust, which the rounding of sums would make, in a position closed whole."""
    whole = np.abs(total - sizes) <= 1e-12 * sizes.sum()
    return np.where(whole, sizes, total) * (total > 0.0)


def _book(
    world: World,
    venue: int,
    market: int,
    slots: IntArray,
    taken: Taken,
    sign: float,
    generation: int,
) -> FloatArray:
    """Fill one side of an ADL match, buying (`sign` 1) or selling, and record it.

    Returns what each of the positions that were reduced realised [quote].
    """
    ledger, board = world.ledger, world.board
    hit = taken.quantity > 0.0
    slots, change, price = slots[hit], taken.quantity[hit] * sign, taken.price[hit]
    rows = ledger.position_row[slots].astype(np.int64)
    entry_equity = world.out.equity[rows] / np.where(
        world.out.notional[rows] > 0.0, world.out.notional[rows], 1.0
    )
    bankrupt = board.mark[market] * (1.0 + np.sign(change) * entry_equity)
    realised = ledger.fill(slots, change, price, "adl")
    note_fills(world, slots, change, realised)
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
    return realised
