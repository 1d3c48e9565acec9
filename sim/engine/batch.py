"""One generation of forced orders: sized, netted, filled, settled and recorded.

All accounts whose clearer may act now sell together. Orders are netted per market and executed
as one batch at one average price each, so the order of accounts and venues cannot matter.
Where a clearer's waterfall has auto-deleveraging, accounts whose loss its fund could not bear
are taken out of the batch before it trades and closed against winners instead.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, IntArray, sums
from sim.engine.adl import deleverage
from sim.engine.board import BatchFills, Flow
from sim.engine.coupling import CouplingGroup, close_opened_gaps, transmit
from sim.engine.losses import settle_closed
from sim.ledger.invariants import check
from sim.models.liquidation import Distressed, sale_rules
from sim.models.waterfall.insurance_fund import cover_in_order, largest_first

if TYPE_CHECKING:
    from sim.engine.world import World

ROUNDING = 1e-12
"""Share of gross notional below which a loss is rounding."""


@dataclass
class ForcedOrders:
    """Orders of one batch.

    Attributes
    ----------
    rows : (N,) int64
        Accounts.
    equity : (N,) float64 [numeraire]
        At the marks before the batch.
    slots, owner : (S,) int64
        Open positions of those accounts, and the index of each one's account.
    change : (S,) float64 [contracts]
        Signed order; 0 where the market cannot trade.
    """

    rows: IntArray
    equity: FloatArray
    slots: IntArray
    owner: IntArray
    change: FloatArray


def forced_orders(world: World, rows: IntArray) -> ForcedOrders:
    """Size the orders of liquidatable accounts by their clearers' rules."""
    ledger = world.ledger
    slots, owner = ledger.slots(rows)
    held = ledger.quantity[slots] != 0.0
    slots, owner = slots[held], owner[held]
    market = ledger.market[slots].astype(np.int64)
    tradable = world.board.tradable[market]
    clearer = world.clearer[rows].astype(np.int64)
    share = np.ones(len(rows))
    for v in np.unique(clearer):
        mine = clearer == v
        rule = world.rules[v]
        part = _distressed(world, rows, mine, slots, owner, market, tradable)
        share[mine] = sale_rules[rule.kind](part, world.tables, rule)
    quantity = ledger.quantity[slots]
    sold = share[owner]
    change = np.where(sold >= 1.0, -quantity, -quantity * sold)
    return ForcedOrders(
        rows, world.out.equity[rows].copy(), slots, owner, np.where(tradable, change, 0.0)
    )


def _distressed(
    world: World,
    rows: IntArray,
    mine: BoolArray,
    slots: IntArray,
    owner: IntArray,
    market: IntArray,
    tradable: BoolArray,
) -> Distressed:
    number = np.cumsum(mine) - 1
    kept = mine[owner]
    board, ledger = world.board, world.ledger
    m = market[kept]
    nominal = np.abs(ledger.quantity[slots[kept]] * board.multiplier[m]) * board.mark[m]
    chosen = rows[mine]
    return Distressed(
        equity=world.out.equity[chosen],
        maintenance=world.out.maintenance[chosen],
        required=world.required[chosen],
        step=world.step[chosen].astype(np.int64),
        owner=number[owner[kept]],
        clearer=world.clearer[chosen].astype(np.int64)[number[owner[kept]]],
        market=m,
        notional=nominal,
        worth=world.quote_price[m],
        tradable=tradable[kept],
    )


def order_flow(world: World, orders: ForcedOrders) -> Flow:
    """Return the net contracts of a batch by market, clearer and generation."""
    flow: Flow = defaultdict(dict)
    active = orders.change != 0.0
    market = world.ledger.market[orders.slots[active]].astype(np.int64)
    rows = orders.rows[orders.owner[active]]
    keys = np.stack([market, world.clearer[rows].astype(np.int64), world.label[rows]])
    found, where = np.unique(keys, axis=1, return_inverse=True)
    net = sums(where.ravel(), orders.change[active], found.shape[1])
    for (m, v, generation), quantity in zip(found.T.tolist(), net.tolist(), strict=True):
        flow[m][f"liquidation:{world.venue_names[v]}", generation] = quantity
    return flow


def equity_after(world: World, orders: ForcedOrders, fills: BatchFills) -> FloatArray:
    """Return each account's equity (N,) if its orders fill at `fills`, at the present marks."""
    market = world.ledger.market[orders.slots].astype(np.int64)
    slip = fills.average[market] - world.board.mark[market]
    size = -orders.change * world.board.multiplier[market]
    gain = size * slip * world.quote_price[market]
    return orders.equity + sums(orders.owner, gain, len(orders.rows))


def divert_to_adl(world: World, orders: ForcedOrders) -> BoolArray:
    """Return which accounts (N,) their clearer's fund could not stand behind.

    The batch is priced without trading; the shortfalls it would leave are presented to each
    fund, largest first, and the accounts that the fund cannot cover in full are diverted. So
    are bankrupt accounts with a position for which there is no book.
    """
    diverted = np.zeros(len(orders.rows), dtype=bool)
    clearer = world.clearer[orders.rows].astype(np.int64)
    with_adl = [int(v) for v in np.unique(clearer) if world.layer(int(v), "adl") is not None]
    if not with_adl:
        return diverted
    fills = world.board.execute(order_flow(world, orders), move=False)
    loss = np.maximum(-equity_after(world, orders, fills), 0.0)
    loss[loss <= ROUNDING * world.out.notional[orders.rows]] = 0.0
    unsellable = sums(orders.owner, orders.change == 0.0, len(orders.rows)) > 0.0
    diverted |= unsellable & (loss > 0.0) & np.isin(clearer, with_adl)
    for v in with_adl:
        mine = np.flatnonzero((clearer == v) & (loss > 0.0) & ~diverted)
        mine = mine[largest_first(loss[mine])]
        fund = 0.0 if world.layer(v, "insurance_fund") is None else world.fund_value(v)
        paid = cover_in_order(loss[mine], fund)
        diverted[mine] = paid < loss[mine] * (1.0 - ROUNDING)
    return diverted


def send_batch(world: World, groups: list[CouplingGroup], rows: IntArray) -> FloatArray:
    """Liquidate `rows` as one batch.

    Returns
    -------
    (M,) float64
        Mean generation, by size, of the orders that moved each market; of the whole batch
        where it sent none.
    """
    orders = forced_orders(world, rows)
    touched = [rows]
    diverted = divert_to_adl(world, orders)
    if diverted.any():
        touched.append(deleverage(world, orders, diverted))
        # What the winners could not take goes to the market after all.
        world.revalue(rows[diverted])
        orders.equity = world.out.equity[rows].copy()
        left = world.ledger.quantity[orders.slots]
        orders.change = np.where(
            diverted[orders.owner], np.where(orders.change != 0.0, -left, 0.0), orders.change
        )
    flow = order_flow(world, orders)
    before = world.board.last.copy()
    fills = world.board.execute(flow)
    after = equity_after(world, orders, fills)
    _settle(world, orders, fills, after)
    transmit(world, groups, fills, flow)
    generation = int(world.label[rows].max(initial=0))
    close_opened_gaps(world, groups, before, generation)
    world.step[rows] += 1
    world.revalue(np.concatenate(touched))
    if world.checked:
        check(world.ledger, f"generation {generation} of tick {world.tick}")
    return _mean_generation(world, flow, rows)


def _mean_generation(world: World, flow: Flow, rows: IntArray) -> FloatArray:
    mean = np.full(len(world.board.ids), float(world.label[rows].mean()))
    for m, parts in flow.items():
        size = sum(abs(quantity) for quantity in parts.values())
        weighted = sum(abs(q) * (generation or 0) for (_, generation), q in parts.items())
        if size > 0.0:  # orders of one clearer may cancel
            mean[m] = weighted / size
    return mean


def _settle(world: World, orders: ForcedOrders, fills: BatchFills, after: FloatArray) -> None:
    """Book fills, fees and shortfalls of a batch and record its events."""
    ledger, board = world.ledger, world.board
    active = orders.change != 0.0
    slots, owner, change = orders.slots[active], orders.owner[active], orders.change[active]
    market = ledger.market[slots].astype(np.int64)
    price = fills.average[market]
    ledger.trade(slots, change, price, "liquidation")
    rows = orders.rows[owner]
    size = np.abs(change) * board.multiplier[market]
    worth = world.quote_price[market]
    fee = _charge_fees(world, rows, owner, market, size * price * worth, after)
    nominal = size * board.mark[market]
    held = world.out.notional[orders.rows]
    relative = orders.equity / np.where(held > 0.0, held, 1.0)
    bankrupt = board.mark[market] * (1.0 + np.sign(change) * relative[owner])
    world.liquidated[rows] = True
    shortfall = settle_closed(world, np.unique(rows))
    weight = nominal * worth
    total = sums(owner, weight, len(orders.rows))[owner]
    lost = np.array([shortfall.get(int(r), 0.0) for r in rows]) if shortfall else 0.0
    clearer = world.clearer[rows].astype(np.int64)
    np.add.at(world.flows.liquidated, clearer, weight)
    world.events.add(
        world.tick,
        "market",
        generation=world.label[rows],
        clearer=clearer,
        market=market,
        row=rows,
        quantity=change,
        mark_price=board.mark[market],
        close_out_price=price,
        bankruptcy_price=bankrupt,
        notional=nominal,
        fee=fee,
        shortfall=lost * weight / np.where(total > 0.0, total, 1.0),
    )


def _charge_fees(
    world: World,
    rows: IntArray,
    owner: IntArray,
    market: IntArray,
    value: FloatArray,
    after: FloatArray,
) -> FloatArray:
    """Collect the liquidation fee of each order, at most what the account has left.

    Returns the fee (S,) [quote of the order's market].
    """
    clearer = world.clearer[rows].astype(np.int64)
    rate = np.array([rule.fee_bps for rule in world.rules])[clearer] * 1e-4
    due = value * rate
    if not due.any():
        return np.zeros(len(rows))
    owed = sums(owner, due, len(after))
    affordable = np.maximum(after, 0.0)
    cut = np.minimum(1.0, affordable / np.where(owed > 0.0, owed, 1.0))
    paid = due * cut[owner]
    fee = paid / world.quote_price[market]
    for v in np.unique(clearer):
        to_fund = world.rules[v].fee_to == "insurance_fund"
        first = world.plan.first_fund if to_fund else world.plan.first_house
        for m in np.unique(market[clearer == v]):
            mine = (clearer == v) & (market == m)
            column = int(world.ledger.quote_column[m])
            world.ledger.transfer(rows[mine], first + int(v), column, fee[mine], "liquidation fee")
    np.add.at(world.flows.fees, clearer, paid)
    return fee
