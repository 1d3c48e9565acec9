"""Values of assets, index prices and marks, from the last prices.

`Pricing` runs the compiled twin (`sim.kernels.prices`) where there is one and every venue's mark
is one of the kinds that it knows, else the plain functions here and the venues' own mark rules.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sim.core.arrays import IntArray
from sim.engine.draft import starts
from sim.kernels.compiling import HAS_NUMBA
from sim.kernels.prices import (
    EMA,
    INDEX,
    LAST,
    MARKS,
    OPENING,
    TWAP,
    VALUES,
    PriceRules,
    PriceState,
    price_step,
)
from sim.models.mark import index_price

if TYPE_CHECKING:
    from sim.agents import Venue
    from sim.engine.world import World

KINDS = {"last": LAST, "index": INDEX, "ema": EMA, "twap": TWAP}
"""Kinds of mark that the compiled twin knows, alone or under a median."""


LONGEST_WINDOW = 20_000
"""Ticks of the longest averaging window whose samples the compiled twin keeps for all markets."""


def index_rule(mark: Any) -> tuple[Literal["mean", "median"], dict[str, float]]:
    """Return method and venue weights of a venue's index: those of its mark, else a plain mean."""
    for part in _parts(mark):
        if part.kind == "index":
            return part.method, dict(part.weights)
    return "mean", {}


def _parts(mark: Any) -> Sequence[Any]:
    return mark.of if mark.kind == "median_of" else [mark]


def value_markets(world: World) -> list[tuple[int, IntArray]]:
    """Return the markets that value each asset which has any, quote assets first.

    Spot markets count where an asset has any, perpetuals and futures otherwise.
    """
    board, markets = world.board, world.scenario.markets
    found = []
    for asset in board.quotes_first:
        mine = np.flatnonzero(board.base == asset)
        spot = [int(m) for m in mine if markets[m].kind == "spot"]
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


def index_groups(world: World) -> tuple[IntArray, list[tuple[str, dict[int, float]]]]:
    """Return the index group (M,) of each market, and method and weights by market of each group.

    A group is an asset seen by one rule. A venue without a weight counts once unless the rule
    gives weights.
    """
    board, names = world.board, world.venue_names
    rules = [index_rule(venue.mark) for venue in world.scenario.venues.values()]
    known: dict[tuple[Any, ...], int] = {}
    groups: list[tuple[str, dict[int, float]]] = []
    group = np.zeros(len(board.ids), dtype=np.int64)
    for m, (base, v) in enumerate(zip(board.base.tolist(), board.venue.tolist(), strict=True)):
        method, given = rules[v]
        key = (base, method, tuple(sorted(given.items())))
        if key not in known:
            known[key] = len(groups)
            weights = {
                int(k): given.get(names[board.venue[k]], 0.0 if given else 1.0)
                for k in np.flatnonzero(board.base == base)
            }
            groups.append((method, {k: w for k, w in weights.items() if w > 0.0}))
        group[m] = known[key]
    return group, groups


def index_prices(world: World, group: IntArray, groups: list[tuple[str, dict[int, float]]]) -> None:
    """Refresh every market's index: the venue's own rule over all markets of its base asset.

    Prices elsewhere are converted through the value of their quote assets. A market that is halted
    counts as little as one of a venue that is down; where none is left, the index stays as it was.
    """
    board, worth = world.board, world.quote_price
    up = board.live
    for g, (method, weights) in enumerate(groups):
        markets = np.array(list(weights), dtype=np.int64)
        usable = up[markets]
        if not usable.any():
            continue
        value = board.last[markets] * worth[markets]
        level = index_price(value, np.array(list(weights.values())), method, usable)  # type: ignore[arg-type]
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
        marks = [venue.mark for venue in world.scenario.venues.values()]
        parts = [part for mark in marks for part in _parts(mark)]
        longest = max(part.window if part.kind == "twap" else 0.0 for part in parts)
        known = all(part.kind in KINDS for part in parts)
        if HAS_NUMBA and known and longest <= LONGEST_WINDOW * world.clock.seconds:
            self.rules = price_rules(world, marks, self.valued_by, self.group, self.groups)
            self.state = price_state(world, self.rules)
        for venue in venues:
            venue.start(world.board.last, world.board.index)

    def open_tick(self, seconds: float) -> None:
        """Freeze the memory of the marks up to the tick before, `seconds` ago, and refresh all."""
        if self.rules is not None and self.state is not None:
            price_step(self.rules, self.state, OPENING, seconds)
            return
        for venue in self.venues:
            if self.world.board.up[venue.number]:
                venue.begin_tick(seconds, self.world.tick)
        self.refresh()

    def refresh(self) -> None:
        """Bring values of assets, index prices and marks up to the last prices."""
        world = self.world
        if self.rules is not None and self.state is not None:
            price_step(self.rules, self.state, MARKS, 0.0)
            return
        value_assets(world, self.valued_by)
        index_prices(world, self.group, self.groups)
        for venue in self.venues:
            if world.board.up[venue.number]:
                venue.refresh(world.board.last, world.board.index, world.board.mark)

    def value_assets(self) -> None:
        """Bring values of assets up to the last prices."""
        if self.rules is not None and self.state is not None:
            price_step(self.rules, self.state, VALUES, 0.0)
        else:
            value_assets(self.world, self.valued_by)


def price_rules(
    world: World,
    marks: Sequence[Any],
    valued_by: list[tuple[int, IntArray]],
    group: IntArray,
    groups: list[tuple[str, dict[int, float]]],
) -> PriceRules:
    """Return the rules of a world as the compiled twin reads them."""
    board = world.board
    parts = [list(_parts(mark)) for mark in marks]
    flat = [part for some in parts for part in some]
    seconds = world.clock.seconds
    by_venue = [np.flatnonzero(board.venue == v) for v in range(len(marks))]
    return PriceRules(
        quote=board.quote.astype(np.int64),
        venue=board.venue.astype(np.int64),
        order=np.array([asset for asset, _ in valued_by], dtype=np.int64),
        member_start=starts(np.array([len(some) for _, some in valued_by], dtype=np.int64)),
        member=_joined([some for _, some in valued_by]),
        opening_price=board.opening_price,
        opening_value=board.opening_value,
        group=group,
        group_start=starts(np.array([len(weights) for _, weights in groups], dtype=np.int64)),
        group_market=_joined([list(weights) for _, weights in groups]),
        group_weight=np.array([w for _, some in groups for w in some.values()], dtype=np.float64),
        group_median=np.array([method == "median" for method, _ in groups], dtype=np.bool_),
        part_start=starts(np.array([len(some) for some in parts], dtype=np.int64)),
        part_kind=np.array([KINDS[part.kind] for part in flat], dtype=np.int64),
        part_index=np.array([getattr(p, "of", "last") == "index" for p in flat], dtype=np.bool_),
        part_gain=np.array(
            [
                -math.expm1(-seconds * math.log(2.0) / p.half_life) if p.kind == "ema" else 0.0
                for p in flat
            ]
        ),
        part_window=np.array([p.window if p.kind == "twap" else 0.0 for p in flat], dtype=float),
        venue_start=starts(np.array([len(some) for some in by_venue], dtype=np.int64)),
        venue_market=_joined(by_venue),
    )


def price_state(world: World, rules: PriceRules) -> PriceState:
    """Return the state of the prices at the start; prices are the world's own arrays."""
    board = world.board
    parts, markets = len(rules.part_kind), len(board.ids)
    start = np.where(rules.part_index[:, None], board.index, board.last)
    longest = float(rules.part_window.max(initial=0.0))
    room = 2 * (math.ceil(longest / world.clock.seconds) + 2)
    return PriceState(
        last=board.last,
        mark=board.mark,
        reference=board.index,
        free=world.free_price,
        asset=world.asset_price,
        up=board.up,
        frozen=board.frozen,
        sample=np.zeros((parts, markets)),
        sampled=np.zeros(parts, dtype=np.bool_),
        step=np.zeros(parts),
        average=start.copy(),
        origin=start.copy(),
        history=np.zeros((parts, markets)),
        lasted=np.zeros((parts, room)),
        deviation=np.zeros((parts, room if longest else 0, markets)),
        begin=np.zeros(parts, dtype=np.int64),
        end=np.zeros(parts, dtype=np.int64),
    )


def _joined(parts: Sequence[Any]) -> IntArray:
    return np.concatenate([np.empty(0, dtype=np.int64), *map(np.asarray, parts)]).astype(np.int64)
