"""Values of assets, index prices and marks, from the last prices.

`Pricing` runs the compiled twin (`sim.kernels.prices`) where there is one and every venue's mark
is one of the kinds that it knows, else the plain functions here and the venues' own mark rules.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sim.core.arrays import FloatArray, IntArray
from sim.engine.fences import common_markets, fence_groups
from sim.engine.funding import funding_of, sample_premiums
from sim.engine.pricing_tables import can_compile, price_rules, price_state
from sim.kernels.compiling import HAS_NUMBA
from sim.kernels.price_state import CARRY
from sim.kernels.prices import MARKS, OPENING, VALUES, price_step
from sim.models.mark import FundedIndexMark, IndexMethod, MedianOfMark, index_price
from sim.schema.mark import index_rule, parts_of

if TYPE_CHECKING:
    from sim.agents import Venue
    from sim.engine.world import World
    from sim.kernels.price_state import PriceRules, PriceState


class IndexGroup(NamedTuple):
    """An asset seen by one rule.

    Attributes
    ----------
    method : {"mean", "median", "weighted_median"}
    outlier : float [1]
        Distance from the median beyond which a price has no weight.
    weights : dict
        Weight > 0 of each market that counts [1].
    """

    method: IndexMethod
    outlier: float
    weights: dict[int, float]


def value_markets(world: World) -> list[tuple[int, IntArray]]:
    """Return the markets that value each asset which has any, quote assets first.

    Spot markets and collateral count where an asset has any, perpetuals and futures otherwise;
    those of ring-fenced venues only where no other lists the asset.
    """
    board, markets = world.board, world.scenario.markets
    found = []
    for asset in board.quotes_first:
        mine = common_markets(world.scenario, np.flatnonzero(board.base == asset))
        spot = [int(m) for m in mine if markets[m].kind in ("spot", "collateral")]
        found.append((asset, np.array(spot, dtype=np.int64) if spot else mine))
    return found


def value_assets(world: World, valued_by: list[tuple[int, IntArray]]) -> None:
    """Value assets by the last prices of their markets, else exogenously.

    An asset is worth its initial price times the mean growth, since the start, of its markets'
    values; of those that are up and not halted where there are any. It is valued after the assets
    that its markets are quoted in.

    Parameters
    ----------
    world : World
        ``world.asset_price`` is changed in place.
    valued_by : list
        From `value_markets`.
    """
    board, prices = world.board, world.asset_price
    prices[:] = world.free_price
    up = board.live
    for asset, group in valued_by:
        usable = group[up[group]]
        chosen = usable if len(usable) else group
        growth = board.last[chosen] * prices[board.quote[chosen]] / board.opening_value[chosen]
        total = np.add.accumulate(growth)[-1]
        prices[asset] = float(board.opening_price[asset] * (total / len(chosen)))
    world.value_own_books()


def index_groups(world: World) -> tuple[IntArray, list[IndexGroup]]:
    """Return the index group (M,) of each market, and the groups.

    A venue without a weight counts once unless the rule gives weights. What is behind a fence does
    not count; where a rule gives weights to that alone, all on this side count alike.
    """
    board, names = world.board, world.venue_names
    fence = fence_groups(world.scenario)[board.venue]
    rules = [index_rule(venue.mark, venue.index) for venue in world.scenario.venues.values()]
    known: dict[tuple[object, ...], int] = {}
    groups: list[IndexGroup] = []
    group = np.zeros(len(board.ids), dtype=np.int64)
    for m, (base, v) in enumerate(zip(board.base.tolist(), board.venue.tolist(), strict=True)):
        given, method, limit = rules[v].weights, rules[v].method, rules[v].outlier
        outlier = math.inf if limit is None else limit
        key = (base, method, outlier, tuple(sorted(given.items())), int(fence[m]))
        if key not in known:
            known[key] = len(groups)
            weights = {
                int(k): given.get(names[board.venue[k]], 0.0 if given else 1.0)
                for k in np.flatnonzero(board.base == base)
            }
            used = {k: w for k, w in weights.items() if w > 0.0}
            seen = {k: w for k, w in used.items() if fence[k] == fence[m]}
            if used and not seen:
                seen = {k: 1.0 for k in weights if fence[k] == fence[m]}
            groups.append(IndexGroup(method, outlier, seen))
        group[m] = known[key]
    return group, groups


def index_prices(world: World, group: IntArray, groups: list[IndexGroup]) -> None:
    """Refresh every market's index: the venue's own rule over all markets of its base asset.

    Prices elsewhere are converted through the value of their quote assets. A market that is halted
    counts as little as one of a venue that is down; where none is left, the index stays as it was.
    """
    board, worth = world.board, world.quote_price
    up = board.live
    for g, (method, outlier, weights) in enumerate(groups):
        markets = np.array(list(weights), dtype=np.int64)
        usable = up[markets]
        if not usable.any():
            continue
        value = board.last[markets] * worth[markets]
        weight: FloatArray = np.array(list(weights.values()), dtype=np.float64)
        level = index_price(value, weight, method, usable, outlier)
        mine = group == g
        board.index[mine] = level / worth[mine]


class Pricing:
    """Keeps values of assets, index prices and marks of a world.

    Parameters
    ----------
    world : World
    venues : sequence of Venue
        Their mark rules, not started yet.

    Attributes
    ----------
    rules, state : PriceRules, PriceState, or None
        What the compiled twin works on; None where it is not used.
    """

    def __init__(self, world: World, venues: Sequence[Venue]) -> None:
        self.world, self.venues = world, venues
        self.valued_by = value_markets(world)
        self.group, self.groups = index_groups(world)
        self.rules: PriceRules | None = None
        self.state: PriceState | None = None
        index_prices(world, self.group, self.groups)
        self.funding = funding_of(world)
        parts = [parts_of(venue.mark) for venue in world.scenario.venues.values()]
        if HAS_NUMBA and can_compile(parts, world.clock):
            self.rules = price_rules(world, parts, self.valued_by, self.group, self.groups)
            self.state = price_state(world, self.rules, self.funding)
        self._carried: list[tuple[FundedIndexMark, Venue]] = []
        for venue in venues:
            venue.start(world.board.last, world.board.index)
            rule = venue.rule
            rules = rule.components if isinstance(rule, MedianOfMark) else (rule,)
            self._carried += [(one, venue) for one in rules if isinstance(one, FundedIndexMark)]

    def open_tick(self, seconds: float) -> None:
        """Freeze the memory of the marks up to the tick before, `seconds` ago, and refresh all."""
        world = self.world
        if self.rules is not None and self.state is not None:
            price_step(self.rules, self.state, OPENING, seconds)
            world.value_own_books()
            return
        for venue in self.venues:
            if world.board.up[venue.number]:
                venue.begin_tick(seconds, world.tick)
        value_assets(world, self.valued_by)
        index_prices(world, self.group, self.groups)
        sample_premiums(world, self.funding, seconds)
        for rule, venue in self._carried:
            rule.set_carry(self.funding.market[CARRY, venue.markets])
        self._mark()

    def refresh(self) -> None:
        """Bring values of assets, index prices and marks up to the last prices."""
        world = self.world
        if self.rules is not None and self.state is not None:
            price_step(self.rules, self.state, MARKS, 0.0)
            world.value_own_books()
            return
        value_assets(world, self.valued_by)
        index_prices(world, self.group, self.groups)
        self._mark()

    def _mark(self) -> None:
        """Let the venues that are up mark their markets."""
        board = self.world.board
        for venue in self.venues:
            if board.up[venue.number]:
                venue.refresh(board.last, board.index, board.mark)

    def value_assets(self) -> None:
        """Bring values of assets up to the last prices."""
        if self.rules is not None and self.state is not None:
            price_step(self.rules, self.state, VALUES, 0.0)
            self.world.value_own_books()
        else:
            value_assets(self.world, self.valued_by)
