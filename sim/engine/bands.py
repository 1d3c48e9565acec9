"""Soft liquidation at work: loans whose collateral is converted as its price goes through bands.

The bands of a loan are placed at the start, as low as its debt allows, but not above the price
(`sim.models.lending.bands`). After the trade phase each loan goes from the price z at which it
stood last to the present last price z', both in units of its highest edge. With kept share f and
raised money g per collateral and highest edge b, and with y collateral and x money

    down    sells y (1 - f(z') / f(z))
    up      buys (x / (b g(z))) (f(z') - f(z))

so that what slippage and fees cost on one way is missing on the other. Orders that a limit band of
the market cuts take a loan a part of the way, in f. Where

    (x + y b (g_max - g(z)) / f(z)) (1 - liquidation_discount) < debt

its bands are given up and all that is left is sold by force in the liquidate phase.

The debt is what is owed now and what conversions have raised: it follows what its owner trades and
what is charged to the account. Bands that no price has reached yet are then placed anew; those of
a loan that was repaid, or whose collateral its owner sold, are gone.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, IntArray, blocks, sums
from sim.engine.ahead import SLACK, first_true, prices_ahead
from sim.engine.build import coupling_groups
from sim.engine.coupling import close_opened_gaps, transmit
from sim.engine.funds import fee_receivers
from sim.engine.limit_bands import fit_to_bands
from sim.engine.losses import note_fills, record_losses, settle_closed
from sim.engine.mechanism import NEVER, NO_MARKET, Mechanism, Series
from sim.models.lending.bands import edges, highest_edge, kept_share, price_of_share, raised

if TYPE_CHECKING:
    from sim.engine.board import Flow
    from sim.engine.world import World
    from sim.schema.lending import BandsLiquidation

CAUSE = "trade:bands"
"""Cause of the moves that conversions make."""

SELL_OUT = 1e9
"""Required margin ratio of a loan whose bands were given up: none has so much."""


class BandsDesk(Mechanism):
    """Converts the collateral of one venue's loans.

    Parameters
    ----------
    world : World
    venue : int
    rule : BandsLiquidation

    Attributes
    ----------
    slots, row, market : (S,) int64
        Collateral of the loans.
    debt, cash : (S,) float64 [quote]
        Part of the loan that each collateral backs, before conversions; money from those.
    share : (S,) float64 [1]
        That part, in value at the start.
    top : (S,) float64 [quote/base]
        Highest edge of the bands.
    at, kept, got : (S,) float64 [1]
        Relative price of the last conversion, with f and g there.
    open : (S,) bool
        Whether the bands are still at work.
    """

    phases = ("trade", "batch")

    def __init__(self, world: World, venue: int, rule: BandsLiquidation) -> None:
        super().__init__(world)
        self.venue, self.rule = venue, rule
        self.groups = coupling_groups(world)
        self.slots = self._loans()
        ledger, board = world.ledger, world.board
        self.row = ledger.position_row[self.slots].astype(np.int64)
        self.market = ledger.market[self.slots].astype(np.int64)
        self.rows, self.owner = np.unique(self.row, return_inverse=True)
        value = self._values(np.arange(len(self.slots)))
        total = sums(self.owner, value, len(self.rows))
        self.share = value / total[self.owner]
        owed = np.maximum(total - world.out.equity[self.rows], 0.0)[self.owner]
        self.debt = owed * self.share / world.quote_price[self.market]
        self.open: BoolArray = self.debt > 0.0
        shape, bands = rule.amplification, rule.bands
        self.top = np.full(len(self.slots), np.inf)
        self._place(np.flatnonzero(self.open), board.mark)
        self.cash = np.zeros(len(self.slots))
        self._seen_held = ledger.quantity[self.slots]
        self._seen_money = ledger.balance[self.rows]
        self.at, self.kept, self.got = (
            np.ones(len(self.slots)),
            np.ones(len(self.slots)),
            self.cash + 0,
        )
        self.lowest = float(edges(1.0, shape, bands)[-1])
        self.most = float(raised(np.array([self.lowest]), shape, bands)[0])
        self._quiet = 0
        self._batches = True
        self._find_rest()

    def _loans(self) -> IntArray:
        """Return the position slots (S,) of the venue's accounts in collateral."""
        world, ledger = self.world, self.world.ledger
        mine = [
            part.start
            + np.flatnonzero(
                world.board.long_only[ledger.market[part]]
                & (ledger.quantity[part] > 0.0)
                & (world.clearer[ledger.position_row[part]] == self.venue)
            )
            for part in blocks(int(ledger.position_start[world.accounts]))
        ]
        return np.concatenate([np.empty(0, dtype=np.int64), *mine])

    def _find_rest(self) -> None:
        """Find the prices (M,) between which loans move: all rest above, or below, their bands.

        Loans that stand above all of their bands rest down to the highest edge of any, those
        below all of them up to the price at which the first comes back in. A loan inside its
        bands moves with every price.
        """
        size = len(self.world.board.ids)
        self._least, self._most = np.zeros(size), np.full(size, np.inf)
        above, below = self.at == 1.0, self.at == self.lowest
        high, low = self.open & above, self.open & below
        np.maximum.at(self._least, self.market[high], self.top[high])
        np.minimum.at(self._most, self.market[low], self.top[low] * self.lowest * (1.0 - SLACK))
        self._inside = bool((self.open & ~above & ~below).any())
        self._any = bool(self.open.any())

    def _values(self, mine: IntArray) -> FloatArray:
        """Return what some collateral (N,) is worth at the marks [numeraire]."""
        world, market = self.world, self.market[mine]
        unit = world.board.multiplier * world.board.mark * world.quote_price
        return np.asarray(world.ledger.quantity[self.slots[mine]] * unit[market])

    def _place(self, mine: IntArray, price: FloatArray) -> None:
        """Place bands of collateral (N,) as low as its debt allows, but not above the prices."""
        rule, market = self.rule, self.market[mine]
        size = self.world.ledger.quantity[self.slots[mine]] * self.world.board.multiplier[market]
        shape = rule.amplification, rule.bands, rule.loan_discount
        self.top[mine] = np.minimum(highest_edge(self.debt[mine], size, *shape), price[market])

    def quiet_until(self, tick: int) -> int:
        """Return the first tick from `tick` on at which a price may move a loan through bands."""
        if not self._any:
            return NEVER
        if self._inside or self._batches:
            return tick
        if self._quiet <= tick:
            # It holds until a tick that is not calm, in which `act` forgets it.
            low, high = prices_ahead(self.world, tick)
            self._quiet = first_true(self._leave_rest(low, high), tick)
        return self._quiet

    def _leave_rest(self, low: FloatArray, high: FloatArray) -> BoolArray:
        """Return which prices between `low` and `high` (..., M) may move a loan that rests."""
        return np.asarray((low < self._least) | (high > self._most))

    def act(self, phase: str) -> None:
        """Convert what the last prices ask for, and give up the bands of who cannot go on."""
        world, board = self.world, self.world.board
        self._quiet = 0
        if phase == "batch":  # forced orders may have sold what is in bands
            self._batches = True
            return
        looked = self._batches or len(world.held_up) > 0
        if looked:
            self._batches = len(world.held_up) > 0
            self.open &= ~world.liquidated[self.row]
        if self._follow() or looked:
            self._find_rest()
        if not self._inside and not self._leave_rest(board.last, board.last).any():
            return
        relative = np.clip(board.last[self.market] / self.top, self.lowest, 1.0)
        moving = self.open & board.tradable[self.market] & board.up[self.venue]
        moving &= world.label[self.row] < 0  # who is liquidatable waits for it, or to be healed
        mine = np.flatnonzero(moving & (relative != self.at))
        if len(mine):
            self._convert(mine, relative[mine])
            self._find_rest()
            self._remember()

    def _remember(self) -> None:
        """Remember what the accounts hold, so as to see what others change of it."""
        ledger = self.world.ledger
        self._seen_held, self._seen_money = ledger.quantity[self.slots], ledger.balance[self.rows]

    def _follow(self) -> bool:
        """Let debts follow what changed in the accounts other than by conversions.

        Returns whether anything did.
        """
        world, ledger = self.world, self.world.ledger
        held, count = ledger.quantity[self.slots], len(self.rows)
        changed = sums(self.owner, held != self._seen_held, count) > 0.0
        changed |= (ledger.balance[self.rows] != self._seen_money).any(axis=1)
        mine = np.flatnonzero(changed[self.owner] & self.open)
        if not len(mine):
            return False
        self._remember()
        owner, worth = self.owner[mine], world.quote_price[self.market[mine]]
        world.revalue(np.unique(self.row[mine]))
        owed = sums(owner, self._values(mine) + self.cash[mine] * worth, count)
        owed -= world.out.equity[self.rows]
        share = self.share[mine] / sums(owner, self.share[mine], count)[owner]
        self.debt[mine] = owed[owner] * share / worth
        sold = (held[mine] == 0.0) & (self.kept[mine] > 0.0)
        self.open[mine[(owed[owner] <= 0.0) | sold]] = False
        untouched = mine[self.open[mine] & (self.kept[mine] == 1.0)]
        self._place(untouched, world.board.last)
        return True

    def _convert(self, mine: IntArray, relative: FloatArray) -> None:
        """Convert some collateral (N,) at relative prices (N,)."""
        world, ledger, board = self.world, self.world.ledger, self.world.board
        shape, bands = self.rule.amplification, self.rule.bands
        kept = kept_share(relative, shape, bands)
        wanted = self._orders(mine, relative, kept)
        change = fit_to_bands(board, self.market[mine], wanted)
        cut = change != wanted
        if cut.any():
            before = self.kept[mine]
            filled = np.divide(change, wanted, out=np.ones(len(mine)), where=cut)
            kept = np.where(cut, before + filled * (kept - before), kept)
            relative = np.where(cut, price_of_share(kept, shape, bands), relative)
            relative = np.where(filled == 0.0, self.at[mine], relative)
        got = raised(relative, shape, bands)
        self.at[mine], self.kept[mine], self.got[mine] = relative, kept, got
        trading = np.flatnonzero(change)
        mine, change = mine[trading], change[trading]
        if not len(mine):
            return
        slots, market = self.slots[mine], self.market[mine]
        net = sums(market, change, len(board.ids))
        flow: Flow = {m: {(CAUSE, None): float(net[m])} for m in np.unique(market).tolist()}
        before = board.last.copy()
        fills = board.execute(flow)
        price = fills.average[market]
        note_fills(world, slots, change, ledger.trade(slots, change, price, "bands"))
        paid = change * board.multiplier[market] * price
        fee = self._charge(mine, np.abs(paid))
        self.cash[mine] -= paid + fee
        transmit(world, self.groups, fills, flow)
        close_opened_gaps(world, self.groups, before, None)
        self._judge(np.unique(self.row[mine]))

    def _orders(self, mine: IntArray, relative: FloatArray, kept: FloatArray) -> FloatArray:
        """Return the orders (N,) [contracts] that take some loans to relative prices (N,)."""
        quantity = self.world.ledger.quantity[self.slots[mine]]
        before, got = self.kept[mine], self.got[mine]
        held = before > 0.0
        sold = quantity * (1.0 - kept / np.where(held, before, 1.0))
        spent = np.where(got > 0.0, np.maximum(self.cash[mine], 0.0), 0.0)
        unit = self.top[mine] * np.where(got > 0.0, got, 1.0)
        bought = spent / unit * (kept - before) / self.world.board.multiplier[self.market[mine]]
        falling = relative < self.at[mine]
        return np.where(falling, np.where(held, -sold, 0.0), bought)

    def _charge(self, mine: IntArray, value: FloatArray) -> FloatArray:
        """Charge the fee of conversions worth `value` (N,) [quote]; return it."""
        world, ledger = self.world, self.world.ledger
        fee = self.rule.fee * value
        if not fee.any():
            return fee
        market = self.market[mine]
        earner = fee_receivers(world, np.full(len(mine), self.venue), market)
        columns = ledger.quote_column[market]
        for column in np.unique(columns).tolist():
            some = columns == column
            ledger.transfer(self.row[mine][some], earner[some], column, fee[some], "conversion fee")
        world.flows.fees[self.venue] += float((fee * world.quote_price[market]).sum())
        return fee

    def health(self) -> FloatArray:
        """Return the health (S,) [1] of each collateral: what all of it raises over its debt."""
        size = self.world.ledger.quantity[self.slots] * self.world.board.multiplier[self.market]
        held = self.kept > 0.0
        coming = size * np.where(held, (self.most - self.got) / np.where(held, self.kept, 1.0), 0.0)
        top = np.where(self.open, self.top, 0.0)
        total = (self.cash + coming * top) * (1.0 - self.rule.liquidation_discount)
        return np.where(self.open, total / np.where(self.open, self.debt, 1.0) - 1.0, np.inf)

    def health_of(self, rows: IntArray) -> FloatArray:
        """Return the health (N,) [1] of loans in their bands; NaN for accounts without."""
        mine = np.flatnonzero(np.isin(self.row, rows) & self.open)
        owner = np.searchsorted(rows, self.row[mine])
        excess, debt = self._excess(mine, owner, len(rows))
        return np.asarray(np.divide(excess, debt, out=np.full(len(rows), np.nan), where=debt > 0.0))

    def _excess(self, mine: IntArray, owner: IntArray, count: int) -> tuple[FloatArray, FloatArray]:
        """Return what loans (N,) will have beyond their debts, and these [numeraire].

        Debts of several collaterals back each other.
        """
        debt = self.debt[mine] * self.world.quote_price[self.market[mine]]
        return sums(owner, self.health()[mine] * debt, count), sums(owner, debt, count)

    def _judge(self, rows: IntArray) -> None:
        """Give up the bands of those of `rows` (N,) whose health is below 0; settle the ruined."""
        world, ledger = self.world, self.world.ledger
        world.revalue(rows)
        mine = np.flatnonzero(np.isin(self.row, rows) & self.open)
        owner = np.searchsorted(rows, self.row[mine])
        excess, _ = self._excess(mine, owner, len(rows))
        slots, holder = ledger.slots(rows)
        holding = sums(holder, ledger.quantity[slots] != 0.0, len(rows)) > 0.0
        ruined = ~holding & (world.out.equity[rows] < 0.0)
        self.open[mine[(excess < 0.0)[owner] | ruined[owner]]] = False
        forced = rows[(excess < 0.0) & holding]
        world.required[forced] = SELL_OUT
        ledger.note_changed(forced)
        record_losses(world, settle_closed(world, rows, by_force=False), "market", 0)

    def series(self) -> list[Series]:
        """Return collateral and money in the bands of each market, and the lowest health."""
        found = [Series("bands_health", self.venue, NO_MARKET, self._lowest_health)]
        for m in np.unique(self.market).tolist():
            found.append(Series("bands_collateral", self.venue, m, partial(self._collateral, m)))
            found.append(Series("bands_cash", self.venue, m, partial(self._cash, m)))
        return found

    def _lowest_health(self) -> float:
        """Return the lowest health of a loan in its bands; 0 where there is none."""
        return float(self.health().min()) if self.open.any() else 0.0

    def _collateral(self, market: int) -> float:
        mine = self.open & (self.market == market)
        size = self.world.ledger.quantity[self.slots[mine]] * self.world.board.multiplier[market]
        return float(size.sum())

    def _cash(self, market: int) -> float:
        return float(self.cash[self.open & (self.market == market)].sum())
