"""The orders of one batch: what each liquidatable account sells, and what that is per market.

A rule of `sim.models.liquidation` says which share of each position is wanted, and the worst
price; the clearer's price band bounds that price. `sim.engine.limits` says what of it fills.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, IntArray, sums
from sim.core.streams import stream_number
from sim.engine.board import Flow
from sim.models.liquidation import Distressed, Sizes, sale_rules
from sim.models.liquidation.call_auction import limits_with_band
from sim.models.liquidation.full import full

if TYPE_CHECKING:
    from sim.engine.world import World


@dataclass
class ForcedOrders:
    """Orders of one batch.

    Attributes
    ----------
    rows : (N,) int64
        Accounts, ascending.
    clearer : (N,) int64
        Their clearers.
    equity : (N,) float64 [numeraire]
        At the marks before the batch.
    slots, owner, market : (S,) int64
        Open positions of those accounts, the index of each one's account, and its market.
    change : (S,) float64 [contracts]
        Signed order as far as it fills; 0 where the market cannot trade.
    limit : (S,) float64 [quote/base], optional
        Worst price of each order, 0 or infinite for any; None where all take any price.
    wanted : (S,) float64 [contracts]
        Signed order before limit prices cut it.
    """

    rows: IntArray
    clearer: IntArray
    equity: FloatArray
    slots: IntArray
    owner: IntArray
    market: IntArray
    change: FloatArray
    limit: FloatArray | None = None
    wanted: FloatArray = field(default_factory=lambda: np.empty(0))

    def unsellable(self, world: World) -> BoolArray:
        """Return the accounts (N,) with a position that cannot be sold, or not at its limit."""
        stays = ~world.board.tradable[self.market]
        if self.limit is not None:
            stays |= (self.wanted != 0.0) & (self.change == 0.0)
        return np.asarray(sums(self.owner, stays, len(self.rows)) > 0.0)

    def silenced(self, world: World) -> BoolArray:
        """Return which orders (S,) do not reach the market."""
        return np.asarray(world.board.silence.of(self.clearer)[self.owner])

    def close(self, world: World, whole: BoolArray) -> None:
        """Want everything of the accounts marked in `whole` (N,) that their markets can trade."""
        left = world.ledger.quantity[self.slots]
        everything = np.where(world.board.tradable[self.market], -left, 0.0)
        self.wanted = np.where(whole[self.owner], everything, self.wanted)
        self.change = self.wanted

    @property
    def cut(self) -> BoolArray:
        """Accounts (N,) of which a limit price left a part of an order unfilled."""
        if self.limit is None:
            return np.zeros(len(self.rows), dtype=bool)
        return np.asarray(sums(self.owner, self.wanted != self.change, len(self.rows)) > 0.0)


def distinct(codes: IntArray) -> list[int]:
    """Return the distinct of small numbers >= 0, ascending."""
    present: list[int] = np.bincount(codes).nonzero()[0].tolist()
    return present


def forced_orders(world: World, rows: IntArray) -> ForcedOrders:
    """Size the orders of liquidatable accounts (N,), ascending, by their clearers' rules."""
    ledger = world.ledger
    slots, owner = ledger.slots(rows)
    quantity = ledger.quantity[slots]
    held = quantity != 0.0
    if not held.all():
        slots, owner, quantity = slots[held], owner[held], quantity[held]
    market = ledger.market[slots].astype(np.int64)
    tradable = world.board.tradable[market]
    clearer = world.clearer[rows].astype(np.int64)
    orders = ForcedOrders(
        rows, clearer, world.out.equity[rows], slots, owner, market, np.negative(quantity)
    )
    share: FloatArray | None = None
    for v in distinct(clearer):
        rule = world.rules[v]
        if sale_rules[rule.kind] is full:
            continue  # needs no look at the positions
        share = np.ones(len(slots)) if share is None else share
        mine = clearer == v
        kept = mine[owner]
        part = _distressed(world, orders, mine, tradable)
        sizes = sale_rules[rule.kind](part, world.tables, rule)
        if not isinstance(sizes, Sizes):
            sizes = Sizes(sizes[part.owner])
        share[kept] = sizes.share
        if sizes.limit is not None:
            if orders.limit is None:
                orders.limit = np.where(quantity > 0.0, 0.0, np.inf)
            orders.limit[kept] = sizes.limit
    if share is not None:
        orders.change = np.where(share >= 1.0, orders.change, orders.change * share)
    if not tradable.all():
        orders.change[~tradable] = 0.0
    _keep_within_bands(world, orders)
    orders.wanted = orders.change
    return orders


def _keep_within_bands(world: World, orders: ForcedOrders) -> None:
    """Bound the limit prices of orders by their clearers' price bands."""
    bands = [world.rules[v].price_band for v in distinct(orders.clearer)]
    if all(band is None for band in bands):
        return
    band = np.full(len(world.rules), np.inf)
    for v in distinct(orders.clearer):
        band[v] = world.rules[v].price_band or np.inf
    sells = world.ledger.quantity[orders.slots] > 0.0
    mark = world.board.mark[orders.market]
    of_order = band[orders.clearer][orders.owner]
    orders.limit = limits_with_band(orders.limit, sells, mark, of_order)


def _distressed(
    world: World, orders: ForcedOrders, mine: BoolArray, tradable: BoolArray
) -> Distressed:
    number = np.cumsum(mine) - 1
    kept = mine[orders.owner]
    board, ledger = world.board, world.ledger
    m, owner = orders.market[kept], number[orders.owner[kept]]
    size = np.abs(ledger.quantity[orders.slots[kept]] * board.multiplier[m])
    chosen = orders.rows[mine]
    return Distressed(
        equity=orders.equity[mine],
        maintenance=world.out.maintenance[chosen],
        required=world.required[chosen],
        step=world.step[chosen].astype(np.int64),
        kept=world.kept[chosen],
        owner=owner,
        clearer=orders.clearer[mine][owner],
        market=m,
        notional=size * board.mark[m],
        size=size,
        worth=world.quote_price[m],
        tradable=tradable[kept],
        mark=board.mark[m],
        side=np.sign(ledger.quantity[orders.slots[kept]]),
        recent=_recent(world, chosen),
        draw=_draws(world, chosen),
    )


def _recent(world: World, rows: IntArray) -> BoolArray:
    """Return which accounts (N,) of one clearer had an order filled within its ``whole_within``."""
    rule = world.rules[int(world.clearer[rows[0]])]
    recent = np.zeros(len(rows), dtype=bool)
    if rule.kind == "partial" and rule.whole_within > 0.0:
        for k, row in enumerate(rows.tolist()):
            then = world.filled_at.get(row)
            if then is not None:
                recent[k] = (world.tick - then) * world.clock.seconds < rule.whole_within
    return recent


def _draws(world: World, rows: IntArray) -> FloatArray:
    """Return a number in [0, 1) for each account (N,) of one clearer, where its rule draws.

    The venue's stream gives one number per batch; with the id of an account it gives that
    account's, so that no other account and no order of rows matters.
    """
    v = int(world.clearer[rows[0]])
    if world.rules[v].kind != "per_block":
        return np.zeros(len(rows))
    name = f"liquidation.{world.venue_names[v]}.pick"
    if name not in world.drawing:
        world.drawing[name] = world.streams.generator(name)
    salt = int(world.drawing[name].integers(2**63))
    numbers = [stream_number(f"{salt}:{world.account_id(row)}") for row in rows.tolist()]
    return np.array(numbers) / 2.0**32


def order_flow(world: World, orders: ForcedOrders) -> Flow:
    """Return the net contracts of a batch by market, clearer and generation."""
    flow: Flow = defaultdict(dict)
    names = world.venue_names
    label = world.label[orders.rows]
    generations, of_account = [label.item(0)], orders.clearer
    if (label != label[0]).any():
        found, place = np.unique(label, return_inverse=True)
        generations = found.tolist()
        of_account = orders.clearer * len(generations) + place.ravel()
    width = len(names) * len(generations)
    code = orders.market * width + of_account[orders.owner]
    size = len(world.board.ids) * width
    net = sums(code, orders.change, size)
    # Orders may cancel; a market with orders is there even if they do.
    sent = np.bincount(code, orders.change != 0.0, size).nonzero()[0]
    for key, quantity in zip(sent.tolist(), net[sent].tolist(), strict=True):
        market, rest = divmod(key, width)
        v, g = divmod(rest, len(generations))
        flow[market][f"liquidation:{names[v]}", generations[g]] = quantity
    return flow
