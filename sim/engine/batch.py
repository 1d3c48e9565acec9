"""One generation of forced orders: sized, netted, filled, settled and recorded.

All accounts whose clearer may act now sell together. Orders are netted per market and executed
as one batch at one average price each, so the order of accounts and venues cannot matter.
Where a clearer's waterfall has auto-deleveraging, accounts whose loss its fund could not bear
are taken out of the batch before it trades and closed against winners instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, Int32Array, IntArray, sums
from sim.engine.adl import deleverage
from sim.engine.board import BatchFills, Flow
from sim.engine.coupling import CouplingGroup, close_opened_gaps, transmit
from sim.engine.losses import settle
from sim.engine.orders import ForcedOrders, distinct, forced_orders, order_flow
from sim.ledger.invariants import check
from sim.models.waterfall.insurance_fund import cover_in_order, largest_first

if TYPE_CHECKING:
    from sim.engine.loans import Deal
    from sim.engine.world import World

ROUNDING = 1e-12
"""Share of gross notional below which a loss is rounding."""


def equity_after(world: World, orders: ForcedOrders, fills: BatchFills) -> FloatArray:
    """Return each account's equity (N,) if its orders fill at `fills`, at the present marks."""
    board = world.board
    slip = (fills.average - board.mark) * board.multiplier * world.quote_price
    gain = slip[orders.market] * orders.change
    return orders.equity - sums(orders.owner, gain, len(orders.rows))


def divert_to_adl(world: World, orders: ForcedOrders, flow: Flow) -> BoolArray | None:
    """Return which accounts (N,) their clearer's fund could not stand behind, None if nobody.

    The batch is priced without trading; the shortfalls it would leave are presented to each
    fund, largest first, and the accounts that the fund cannot cover in full are diverted. So
    are bankrupt accounts with a position for which there is no book.
    """
    clearer = orders.clearer
    with_adl = [v for v in distinct(clearer) if world.layer(v, "adl") is not None]
    if not with_adl:
        return None
    fills = world.board.execute(flow, move=False)
    loss = -equity_after(world, orders, fills)
    lost = loss > ROUNDING * world.out.notional[orders.rows]
    if not lost.any():
        return None
    unsellable = sums(orders.owner, orders.change == 0.0, len(orders.rows)) > 0.0
    diverted = unsellable & lost & np.isin(clearer, with_adl)
    for v in with_adl:
        mine = np.flatnonzero((clearer == v) & lost & ~diverted)
        mine = mine[largest_first(loss[mine])]
        fund = 0.0 if world.layer(v, "insurance_fund") is None else world.fund_value(v)
        paid = cover_in_order(loss[mine], fund)
        diverted[mine] = paid < loss[mine] * (1.0 - ROUNDING)
    return diverted if diverted.any() else None


def send_batch(world: World, groups: list[CouplingGroup], rows: IntArray) -> FloatArray:
    """Liquidate `rows`, ascending, as one batch.

    Returns
    -------
    (M,) float64
        Mean generation, by size, of the orders that moved each market; of the whole batch
        where it sent none.
    """
    orders = forced_orders(world, rows)
    deal = None if world.keepers is None else world.keepers.strike(orders)
    for storefront in world.storefronts:
        storefront.absorb(orders)
    flow = order_flow(world, orders)
    touched = rows
    diverted = divert_to_adl(world, orders, flow)
    if diverted is not None:
        touched = np.concatenate([rows, deleverage(world, orders, diverted)])
        # What the winners could not take goes to the market after all.
        world.revalue(rows[diverted])
        orders.equity = world.out.equity[rows]
        left = world.ledger.quantity[orders.slots]
        orders.change = np.where(
            diverted[orders.owner], np.where(orders.change != 0.0, -left, 0.0), orders.change
        )
        flow = order_flow(world, orders)
    before = world.board.last.copy()
    fills = world.board.execute(flow)
    _settle(world, orders, fills, equity_after(world, orders, fills), deal)
    transmit(world, groups, fills, flow)
    generation = int(world.label[rows].max(initial=0))
    close_opened_gaps(world, groups, before, generation)
    world.step[rows] += 1
    world.revalue(touched)
    if world.checked:
        check(world.ledger, f"generation {generation} of tick {world.tick}")
    return _mean_generation(world, flow, rows)


def _mean_generation(world: World, flow: Flow, rows: IntArray) -> FloatArray:
    label = world.label[rows]
    mean = np.full(len(world.board.ids), label.sum() / len(label))
    if (label == label[0]).all():
        return mean
    for m, parts in flow.items():
        size = sum(abs(quantity) for quantity in parts.values())
        weighted = sum(abs(q) * (generation or 0) for (_, generation), q in parts.items())
        if size > 0.0:  # orders of one clearer may cancel
            mean[m] = weighted / size
    return mean


def _settle(
    world: World, orders: ForcedOrders, fills: BatchFills, after: FloatArray, deal: Deal | None
) -> None:
    """Book fills, fees and shortfalls of a batch and record its events."""
    ledger, board = world.ledger, world.board
    slots, owner, market, change = orders.slots, orders.owner, orders.market, orders.change
    active = change != 0.0
    if not active.all():
        slots, owner, market = slots[active], owner[active], market[active]
        change = change[active]
    count = len(orders.rows)
    price, mark = fills.average[market], board.mark[market]
    ledger.trade(slots, change, price, "liquidation")
    size = np.abs(change) * board.multiplier[market]
    worth = world.quote_price[market]
    fee = _charge_fees(world, orders, owner, market, size * price * worth, after)
    if deal is not None and world.keepers is not None:
        fee += world.keepers.pay(orders, deal, fills.average)[active]
    nominal = size * mark
    held = world.out.notional[orders.rows]
    relative = orders.equity / np.where(held > 0.0, held, 1.0)
    bankrupt = mark * (1.0 + np.sign(change) * relative[owner])
    sold = np.bincount(owner, minlength=count) > 0
    world.liquidated[orders.rows[sold]] = True
    open_left = sums(orders.owner, ledger.quantity[orders.slots] != 0.0, count) > 0.0
    borne = settle(world, orders.rows[sold & ~open_left])
    weight = nominal * worth
    clearer = orders.clearer[owner]
    world.flows.liquidated += sums(clearer, weight, len(world.venue_names))
    if len(borne.rows):
        total = sums(owner, weight, count)
        per_weight = np.zeros(count)
        per_weight[np.searchsorted(orders.rows, borne.rows)] = borne.loss
        per_weight /= np.where(total > 0.0, total, 1.0)
        shortfall = per_weight[owner] * weight
    else:
        shortfall = np.zeros(len(slots))
    _record(
        world,
        generation=world.label[orders.rows][owner],
        clearer=clearer,
        market=market,
        row=orders.rows[owner],
        quantity=change,
        mark_price=mark,
        close_out_price=price,
        bankruptcy_price=bankrupt,
        notional=nominal,
        fee=fee,
        shortfall=shortfall,
    )


def _record(world: World, **columns: FloatArray | IntArray | Int32Array) -> None:
    """Record the orders of a batch, sales from auctions under a kind of their own."""
    houses = np.array([rule.kind == "auction" for rule in world.rules])
    auctioned = houses[columns["clearer"]]
    if not auctioned.any():
        world.events.add(world.tick, "market", **columns)
        return
    for kind, chosen in (("market", ~auctioned), ("auction", auctioned)):
        part = {name: values[chosen] for name, values in columns.items()}
        world.events.add(world.tick, kind, **part)


def _charge_fees(
    world: World,
    orders: ForcedOrders,
    owner: IntArray,
    market: IntArray,
    value: FloatArray,
    after: FloatArray,
) -> FloatArray:
    """Collect the liquidation fee of each order, at most what the account has left.

    Returns the fee (S,) [quote of the order's market].
    """
    ledger = world.ledger
    rate = np.array([rule.fee_bps for rule in world.rules])[orders.clearer] * 1e-4
    due = value * rate[owner]
    owed = sums(owner, due, len(after))
    if not owed.any():
        return np.zeros(len(due))
    affordable = np.maximum(after, 0.0)
    cut = np.minimum(1.0, affordable / np.where(owed > 0.0, owed, 1.0))
    paid = due * cut[owner]
    fee: FloatArray = paid / world.quote_price[market]
    clearer, rows = orders.clearer[owner], orders.rows[owner]
    plan = world.plan
    receivers = np.array(
        [
            v + (plan.first_fund if rule.fee_to == "insurance_fund" else plan.first_house)
            for v, rule in enumerate(world.rules)
        ]
    )
    receiver, columns = receivers[clearer], ledger.quote_column[market]
    for column in distinct(columns):
        mine = columns == column
        moved = rows[mine], receiver[mine], column, fee[mine]
        ledger.transfer(*moved, "liquidation fee")
    world.flows.fees += sums(clearer, paid, len(world.venue_names))
    return fee
