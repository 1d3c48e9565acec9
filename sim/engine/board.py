"""The markets: their prices, and how orders, shocks, couplings and time move them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, IntArray
from sim.core.errors import RunError
from sim.engine.causes import Booking, CauseBook, split_log_move
from sim.engine.silence import Silence
from sim.models.impact import Fill, ImpactModel, build_impact, square_root

if TYPE_CHECKING:
    from sim.schema import Scenario

DEPTH_BAND = 0.01
"""Fall at which the recorded depth is measured (1 %, the band venues usually publish)."""

RUNAWAY = 1e9
"""Multiple of its initial price beyond which a market has run away: the rounding of such sums
would swallow the rest of the ledger."""

CANCELLED = 1e-12
"""Net order, as a share of the gross one, that is only the rounding of orders that cancel."""

Flow = dict[int, dict[Booking, float]]
"""Signed contracts by market and booking; the sum over bookings is the market's net order."""


@dataclass(frozen=True, slots=True)
class BatchFills:
    """How a batch of netted orders was filled.

    ``average[m]`` is the price at which every order of market m filled [quote/base], the last
    price where none was heard; ``move[m]`` the market's own price change, where ``filled[m]``.
    """

    average: FloatArray
    move: FloatArray
    filled: BoolArray


def _quotes_first(base: list[int], quote: list[int]) -> list[int]:
    """Return the base assets so that each comes after those that quote it, where that can be."""
    order: list[int] = []
    left = set(base)
    while left:
        waits = {a for a, b in zip(base, quote, strict=True) if a in left and b in left and a != b}
        order.append(min(left - waits or left))
        left.discard(order[-1])
    return order


class MarketBoard:
    """State of every market (M) of a scenario.

    Attributes
    ----------
    last, anchor, mark, index : (M,) float64 [quote/base]
        Last price; price without the flow that the book remembers; price that margin uses;
        reference over venues.
    liquidity : (M,) float64 [1]
        Depth factor now, 1 = untouched.
    up : (V,) bool
        Whether a venue is in operation.
    long_only : (M,) bool
        Markets of collateral, where nobody is short.
    shut, frozen : (M,) bool
        Markets that a breaker has halted: no order fills there; the last price stands and
        exogenous returns are held back. A market that opens by an auction is shut longer.
    low, high : (M,) float64 [quote/base]
        Limits that nothing pushes a last price through.
    margining : (V,) bool
        Whether a clearer goes on calling and liquidating in spite of halts.
    silence : Silence
        Knows whose forced orders do not reach the markets.
    """

    def __init__(self, scenario: Scenario, multiplier: FloatArray, venue: IntArray) -> None:
        markets = scenario.markets
        self.venue_names = list(scenario.venues)
        self.ids = [f"{m.venue}/{m.symbol}" for m in markets]
        self.venue = venue
        self.multiplier = multiplier
        assets = list(scenario.assets)
        self.base = np.array([assets.index(m.base) for m in markets])
        self.quote = np.array([assets.index(m.quote) for m in markets])
        self.quotes_first = _quotes_first(self.base.tolist(), self.quote.tolist())
        self.initial = np.array([scenario.market_price(m) for m in markets], dtype=np.float64)
        self.opening_price = np.array([a.price for a in scenario.assets.values()])
        self.opening_value = self.initial * self.opening_price[self.quote]
        self.last = self.initial.copy()
        self.anchor = self.initial.copy()
        self.mark = self.initial.copy()
        self.index = self.initial.copy()
        self.liquidity = np.ones(len(markets))
        self.up = np.ones(len(scenario.venues), dtype=bool)
        self.shut, self.frozen = np.zeros((2, len(markets)), dtype=bool)
        self.margining = np.ones(len(scenario.venues), dtype=bool)
        self.low, self.high = np.zeros(len(markets)), np.full(len(markets), np.inf)
        self.banded = False
        self.floor = scenario.engine.price_floor * self.initial
        self.impact: list[ImpactModel] = [
            build_impact(
                market.impact,
                initial_price=float(self.initial[k]),
                daily_volatility=scenario.daily_volatility(market.base),
                multiplier=float(multiplier[k]),
            )
            for k, market in enumerate(markets)
        ]
        self.long_only = np.array([market.kind == "collateral" for market in markets])
        self.fillable = np.array([market.impact.kind != "illiquid" for market in markets])
        self.causes, self.silence = CauseBook(len(markets)), Silence(scenario)
        self.floor_hits = 0
        self._pending = np.zeros(len(markets))
        kinds = [type(impact) is square_root.SquareRootImpact for impact in self.impact]
        self._square_root = np.flatnonzero(kinds)
        models = [i for i in self.impact if type(i) is square_root.SquareRootImpact]
        size = multiplier[self._square_root]
        self._square_root_depths = square_root.Depths(models, DEPTH_BAND, size)
        self._other_books = [m for m, quick in enumerate(kinds) if not quick]
        self.arbitrage_cause = [f"arbitrage:{market.venue}" for market in markets]
        self._tradable = np.zeros(len(markets), dtype=bool)
        self._tradable_at = b"", b"", b""
        self.reverting = np.array([1.0 - impact.permanent_share for impact in self.impact])
        self._left: dict[float, FloatArray] = {}

    @property
    def tradable(self) -> BoolArray:
        """Markets (M,) that can fill an order now: open, with a book that is not empty."""
        key = self.liquidity.tobytes(), self.up.tobytes(), self.shut.tobytes()
        if key != self._tradable_at:
            self._tradable_at = key
            self._tradable = self.fillable & (self.liquidity > 0.0) & self.open
            self._tradable.flags.writeable = False
        return self._tradable

    @property
    def open(self) -> BoolArray:
        """Markets (M,) whose venue is up and that no breaker has halted."""
        return np.asarray(self.up[self.venue] & ~self.shut)

    @property
    def live(self) -> BoolArray:
        """Markets (M,) whose venue is up and whose price follows exogenous returns."""
        return np.asarray(self.up[self.venue] & ~self.frozen)

    @property
    def halted(self) -> BoolArray:
        """Venues (V,) that are down, or of which every market is halted."""
        if not self.shut.any():
            return ~self.up
        listed, shut = (
            np.bincount(venue, minlength=len(self.up))
            for venue in (self.venue, self.venue[self.shut])
        )
        return np.asarray(~self.up | ((listed > 0) & (shut == listed)))

    @property
    def indicative(self) -> FloatArray:
        """Last prices (M,) [quote/base] moved by the returns that are held back."""
        return np.asarray(self.last * np.exp(self._pending))

    def exogenous_price(self) -> FloatArray:
        """Return the initial prices (M,) [quote/base] moved by exogenous returns alone."""
        return np.asarray(self.initial * np.exp(self.causes.log_move_of("exogenous")))

    def depths(self) -> FloatArray:
        """Return `depth` (M,) [quote] of every market."""
        quick = self._square_root
        found = np.zeros(len(self.ids))
        found[quick] = self._square_root_depths.at(self.last[quick], self.liquidity[quick])
        for market in self._other_books:
            found[market] = self.depth(market)
        return found

    def depth(self, market: int) -> float:
        """Return the notional [quote] of a sell that lowers an undisplaced book by 1 %."""
        if not self.fillable[market]:
            return 0.0
        return self.impact[market].notional_to_move(
            float(self.last[market]),
            band=DEPTH_BAND,
            multiplier=float(self.multiplier[market]),
            liquidity=float(self.liquidity[market]),
        )

    def move(self, market: int, moves: dict[Booking, float]) -> None:
        """Move a last price by the sum of `moves` [quote/base], and book them.

        A price cannot be pushed below the market's floor or out of its band; the moves are then
        cut alike.
        """
        before = self.last.item(market)
        parts = list(moves.values())
        wanted = before + math.fsum(parts)
        self._refuse_runaway(market, wanted)
        floor = min(self.floor.item(market), before)
        self.floor_hits += int(wanted < floor)
        after = max(wanted, floor)
        if self.banded:
            after = self._within_band(market, before, after)
        if after != wanted:
            cut = (after - before) / (wanted - before)
            parts = [part * cut for part in parts]
        self.last[market] = after
        for booking, part, share in zip(
            moves, parts, split_log_move(before, after, parts), strict=True
        ):
            self.causes.book(booking, market, share, part)

    def _refuse_runaway(self, market: int, price: float) -> None:
        """Raise RunError if a price has left every range in which it means something."""
        if not price <= RUNAWAY * self.initial.item(market):
            raise RunError(
                f"the price of {self.ids[market]} ran away from {self.initial[market]:.6g} to "
                f"{price:.6g}; its book is too thin for the orders that chase it"
            )

    def _within_band(self, market: int, before: float, after: float) -> float:
        """Return the price that a move from `before` to `after` ends at."""
        low: float = min(self.low.item(market), before)
        high: float = max(self.high.item(market), before)
        return min(max(after, low), high)

    def shock(self, log_returns: FloatArray) -> None:
        """Apply exogenous log-returns (M,).

        A market that is halted, or whose venue is down, catches up when it returns; what would
        carry a price out of its band waits until there is room.
        """
        returns = log_returns + self._pending
        live = self.live
        self._pending = np.where(live, 0.0, returns)
        returns = np.where(live, returns, 0.0)
        if not returns.any():
            return
        growth = np.exp(returns)
        before = self.last.copy()
        np.multiply(before, growth, out=self.last)
        if self.banded:
            self._hold_in_band(before, returns, growth)
        np.multiply(self.anchor, growth, out=self.anchor)
        self.causes.book_all("exogenous", np.log(self.last / before), self.last - before)

    def _hold_in_band(self, before: FloatArray, returns: FloatArray, growth: FloatArray) -> None:
        """Cut the last moves (M,) and their growth at the limits; keep the rest for later."""
        held = np.clip(self.last, np.minimum(self.low, before), np.maximum(self.high, before))
        cut = held != self.last
        if cut.any():
            growth[cut] = held[cut] / before[cut]
            self._pending[cut] = returns[cut] - np.log(growth[cut])
            self.last[cut] = held[cut]

    def waits(self, markets: IntArray) -> bool:
        """Return whether a return waits for a band to let it through in any of these markets."""
        return bool((self._pending[markets] != 0.0)[self.live[markets]].any())

    def hold_back(self, log_returns: FloatArray) -> None:
        """Keep exogenous log-returns (T, M) of ticks for the markets whose venue is down."""
        down = ~self.up[self.venue]
        if down.any():
            for returns in log_returns:
                self._pending = np.where(down, self._pending + returns, 0.0)

    def left_after(self, seconds: float) -> FloatArray:
        """Return the share (M,) [1] of each book's displacement that is left after a while."""
        if seconds not in self._left:
            self._left[seconds] = np.array([impact.decay_factor(seconds) for impact in self.impact])
        return self._left[seconds]

    def relax(self, seconds: float) -> None:
        """Let displaced books recover for a while.

        No price falls below its floor, or leaves its band, thereby.
        """
        left = self.left_after(seconds)
        moving = (self.last != self.anchor) & (left != 1.0) & self.open
        if not moving.any():
            return
        before = self.last.copy()
        gap = before - self.anchor
        after = before - self.reverting * gap * (1.0 - left)
        np.copyto(self.anchor, after - left * gap, where=moving)
        floor = np.minimum(self.floor, before)
        low = moving & (after < floor)
        self.floor_hits += int(low.sum())
        after = np.where(low, floor, after)
        if self.banded:
            after = np.clip(after, np.minimum(self.low, before), np.maximum(self.high, before))
        np.copyto(self.last, after, where=moving)
        self.refuse_runaways(moving)
        self.causes.book_all("reversion", np.log(self.last / before), self.last - before)

    def refuse_runaways(self, among: BoolArray | bool = True) -> None:
        """Raise RunError if a price of these (M,) has left every range where it means something."""
        for market in np.flatnonzero(among & ~(self.last <= RUNAWAY * self.initial)).tolist():
            self._refuse_runaway(market, float(self.last[market]))

    def execute(self, flow: Flow, move: bool = True) -> BatchFills:
        """Fill netted orders, each market along its own impact.

        Parameters
        ----------
        flow : dict
            Contracts by market and booking; all orders of a market share one average price.
        move : bool
            False asks what would happen and changes nothing.
        """
        size = len(self.ids)
        fills = BatchFills(self.last.copy(), np.zeros(size), np.zeros(size, dtype=bool))
        tradable = self.tradable
        for m, parts in self.silence.heard(flow).items():
            if not tradable[m]:
                continue
            fills.filled[m] = True
            net = math.fsum(parts.values())
            if abs(net) <= CANCELLED * math.fsum(map(abs, parts.values())):
                continue
            before = self.last.item(m)
            fill = self._walk(m, before, net)
            self._refuse_runaway(m, fill.price_after)
            fills.average[m] = fill.average_price
            fills.move[m] = total = fill.price_after - before
            if move:
                self.floor_hits += int(fill.floored)
                if total != 0.0:
                    shares = net_side_shares(parts)
                    self.move(m, {booking: total * share for booking, share in shares.items()})
        return fills

    def _walk(self, market: int, before: float, net: float) -> Fill:
        """Return how a net order fills; the walk ends at the floor or a limit of the band."""
        lowest = floor = self.floor.item(market)
        if self.banded:
            lowest = max(floor, min(self.low.item(market), before))
        fill = self.impact[market].execute(
            before, self.anchor.item(market), net, self.liquidity.item(market), lowest
        )
        if self.banded:
            after = self._within_band(market, before, fill.price_after)
            return Fill(after, fill.average_price, fill.floored and lowest == floor)
        return fill


def net_side_shares(parts: dict[Booking, float]) -> dict[Booking, float]:
    """Return each booking's share of the move that a netted order makes.

    Only the flow on the side of the net carries the move, in proportion to its size; what the
    netting absorbed moved nothing. Shares lie in (0, 1] and add up to 1.
    """
    if len(parts) == 1:
        return dict.fromkeys(parts, 1.0)
    side = math.copysign(1.0, math.fsum(parts.values()))
    carrying = {booking: abs(q) for booking, q in parts.items() if q * side > 0.0}
    total = math.fsum(carrying.values())
    return {booking: size / total for booking, size in carrying.items()}
