"""One generation of forced orders: sized, netted, filled, settled and recorded.

All accounts whose clearer may act now sell together. Orders are netted per market and executed
as one batch at one average price each, so the order of accounts and venues cannot matter.
Where a clearer's waterfall has auto-deleveraging, accounts whose loss its fund could not bear
are taken out of the batch before it trades and closed against winners instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, Int32Array, IntArray, sums
from sim.engine.adl import deleverage
from sim.engine.board import BatchFills, Flow, net_side_shares
from sim.engine.coupling import CouplingGroup, close_opened_gaps, transmit
from sim.engine.divert import divert, equity_after
from sim.engine.fees import block_fees, by_weight, pay_below_bankruptcy, remainder_fees, surplus
from sim.engine.funds import fee_receivers, note_funds
from sim.engine.limit_bands import fit_to_bands
from sim.engine.limits import cut_to_limits
from sim.engine.losses import note_fills, settle
from sim.engine.orders import ForcedOrders, distinct, forced_orders, order_flow
from sim.engine.pace import note_sold
from sim.ledger.invariants import check

if TYPE_CHECKING:
    from sim.engine.loans import Deal
    from sim.engine.world import World


class Sent(NamedTuple):
    """What became of a batch.

    Attributes
    ----------
    generation : (M,) float64
        Mean generation, by size, of the forced orders in each market; of the whole batch where
        it sent none.
    voluntary : (M,) float64 [1]
        Share of each market's move that voluntary orders made, which joined for an auction.
    cut : (N,) bool
        Accounts of which a limit price left a part of an order unfilled.
    """

    generation: FloatArray
    voluntary: FloatArray
    cut: BoolArray


def send_batch(world: World, groups: list[CouplingGroup], rows: IntArray) -> Sent:
    """Liquidate `rows`, ascending, as one batch."""
    orders = forced_orders(world, rows)
    deal = None if world.keepers is None else world.keepers.strike(orders)
    for storefront in world.storefronts:
        storefront.absorb(orders)
    if deal is not None or world.storefronts:
        orders.wanted = orders.change.copy()  # what keepers left alone waits for no limit
    flow = _flow(world, orders)
    touched = rows
    diverted = divert(world, orders, flow)
    if diverted is not None:
        touched = np.concatenate([rows, deleverage(world, orders, diverted)])
        # What the winners could not take goes to the market after all.
        world.revalue(rows[diverted])
        orders.equity = world.out.equity[rows]
        orders.close(world, diverted)
        if deal is not None and world.keepers is not None:
            world.keepers.strike_again(orders, deal)
            orders.wanted = orders.change.copy()
        flow = _flow(world, orders)
    before = world.board.last.copy()
    fills = world.board.execute(flow)
    _settle(world, orders, fills, equity_after(world, orders, fills), deal)
    if len(world.auction.waiting.slot):
        touched = np.concatenate([touched, world.auction.settle(world, fills)])
    transmit(world, groups, fills, flow)
    generation = _latest_generation(world, orders)
    close_opened_gaps(world, groups, before, generation)
    cut = orders.cut
    world.step[rows] += ~cut
    note_sold(world, orders)
    world.revalue(touched)
    if world.checked:
        check(world.ledger, f"generation {generation} of tick {world.tick}")
    return Sent(_mean_generation(world, flow, rows), _voluntary_share(world, flow), cut)


def _flow(world: World, orders: ForcedOrders) -> Flow:
    """Cut orders to their limits and to the bands of their markets; return the flow of the batch.

    Voluntary orders that wait for the auction of a market join it. What does not reach the market
    is in the orders and not in the flow.
    """
    cut_to_limits(world, orders)
    _fit_to_bands(world, orders)
    flow = order_flow(world, orders)
    world.auction.join(world, flow)
    return world.board.silence.heard(flow)


def _fit_to_bands(world: World, orders: ForcedOrders) -> None:
    """Cut orders to the bands of their markets, but for those that are silenced."""
    board = world.board
    if not board.silence.any:
        orders.change = fit_to_bands(board, orders.market, orders.change)
        return
    heard = ~orders.silenced(world)
    change = orders.change.copy()
    change[heard] = fit_to_bands(board, orders.market[heard], change[heard])
    orders.change = change


def _latest_generation(world: World, orders: ForcedOrders) -> int:
    """Return the highest generation whose orders reach the market."""
    rows = orders.rows
    if world.board.silence.any:
        rows = rows[~world.board.silence.of(orders.clearer)]
    return int(world.label[rows].max(initial=0))


def _mean_generation(world: World, flow: Flow, rows: IntArray) -> FloatArray:
    label = world.label[rows]
    mean = np.full(len(world.board.ids), label.sum() / len(label))
    if (label == label[0]).all():
        return mean
    for m, parts in flow.items():
        forced = [(g, abs(q)) for (_, g), q in parts.items() if g is not None]
        size = sum(quantity for _, quantity in forced)
        if size > 0.0:  # orders of one clearer may cancel
            mean[m] = sum(g * quantity for g, quantity in forced) / size
    return mean


def _voluntary_share(world: World, flow: Flow) -> FloatArray:
    share = np.zeros(len(world.board.ids))
    for m, parts in flow.items():
        if any(g is None and q != 0.0 for (_, g), q in parts.items()):
            share[m] = sum(s for (_, g), s in net_side_shares(parts).items() if g is None)
    return share


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
    note_fills(world, slots, change, ledger.trade(slots, change, price, "liquidation"))
    size = np.abs(change) * board.multiplier[market]
    worth = world.quote_price[market]
    gained = surplus(world, orders, fills)
    fee = _charge_fees(world, orders, owner, market, size * price * worth, after, gained)
    if deal is not None and world.keepers is not None:
        fee += world.keepers.pay(orders, deal, fills.average)[active]
    nominal = size * mark
    held = world.out.notional[orders.rows]
    relative = orders.equity / np.where(held > 0.0, held, 1.0)
    bankrupt = mark * (1.0 + np.sign(change) * relative[owner])
    sold = np.bincount(owner, minlength=count) > 0
    world.liquidated[orders.rows[sold]] = True
    open_left = sums(orders.owner, ledger.quantity[orders.slots] != 0.0, count) > 0.0
    weight = nominal * worth
    shortfall = np.zeros(len(slots))
    if gained is not None:
        shortfall += pay_below_bankruptcy(world, orders, owner, market, gained)
    closed = sold & ~open_left
    borne = settle(world, orders.rows[closed])
    clearer = orders.clearer[owner]
    world.flows.liquidated += sums(clearer, weight, len(world.venue_names))
    if len(borne.rows):
        loss = np.zeros(count)
        loss[np.searchsorted(orders.rows, borne.rows)] = borne.loss
        shortfall += by_weight(loss, owner, weight)
    if any(rule.takes_remainder for rule in world.rules):
        fee = fee + remainder_fees(world, orders.rows, closed, owner, market, weight)
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
    auctioned = houses[columns["clearer"]] if world.keepers is not None else houses[:0]
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
    gained: FloatArray | None,
) -> FloatArray:
    """Collect the liquidation fee of each order, at most what the account has left.

    Returns the fee (S,) [quote of the order's market].
    """
    ledger = world.ledger
    rate = np.array([rule.fee_bps for rule in world.rules])[orders.clearer] * 1e-4
    due = value * rate[owner]
    if gained is not None:
        due += block_fees(world, orders, owner, value, gained)
    owed = sums(owner, due, len(after))
    if not owed.any():
        return np.zeros(len(due))
    affordable = np.maximum(after, 0.0)
    cut = np.minimum(1.0, affordable / np.where(owed > 0.0, owed, 1.0))
    paid = due * cut[owner]
    fee: FloatArray = paid / world.quote_price[market]
    clearer, rows = orders.clearer[owner], orders.rows[owner]
    receiver, columns = fee_receivers(world, clearer, market), ledger.quote_column[market]
    for column in distinct(columns):
        mine = columns == column
        moved = rows[mine], receiver[mine], column, fee[mine]
        ledger.transfer(*moved, "liquidation fee")
    note_funds(world)
    world.flows.fees += sums(clearer, paid, len(world.venue_names))
    return fee
