"""Marks, indices and funding of a scenario as the compiled prices read them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.core.arrays import FloatArray, IntArray
from sim.engine.draft import starts
from sim.kernels.price_state import (
    EMA,
    FUNDED,
    GEOMETRIC,
    INDEX,
    LAST,
    OF_BASIS,
    OF_INDEX,
    OF_LAST,
    ORACLE,
    TWAP,
    PriceRules,
    PriceState,
)

if TYPE_CHECKING:
    from sim.core.clock import TickClock
    from sim.engine.funding import FundingState
    from sim.engine.pricing import IndexGroup
    from sim.engine.world import World

KINDS = {
    "last": LAST,
    "index": INDEX,
    "ema": EMA,
    "twap": TWAP,
    "oracle": ORACLE,
    "funded_index": FUNDED,
}
"""Kinds of mark that the compiled prices know, alone or under a median."""

SOURCES = {"last": OF_LAST, "index": OF_INDEX, "basis": OF_BASIS}

LONGEST_WINDOW = 20_000
"""Ticks of the longest window or lag whose samples the compiled prices keep for all markets."""


def can_compile(parts: Sequence[Sequence[Any]], clock: TickClock) -> bool:
    """Return whether the compiled prices know all parts of the marks of the venues."""
    flat = [part for some in parts for part in some]
    longest = max((_reach(part) for part in flat), default=0.0)
    return all(part.kind in KINDS for part in flat) and longest <= LONGEST_WINDOW * clock.seconds


def _reach(part: Any) -> float:
    """Return the time [s] over which the samples of a part are kept."""
    return float({"twap": _window(part), "oracle": getattr(part, "lag", 0.0)}.get(part.kind, 0.0))


def price_rules(
    world: World,
    parts: Sequence[Sequence[Any]],
    valued_by: list[tuple[int, IntArray]],
    group: IntArray,
    groups: list[IndexGroup],
) -> PriceRules:
    """Return the rules of a world whose venues' marks have these parts."""
    board = world.board
    flat = [part for some in parts for part in some]
    by_venue = [np.flatnonzero(board.venue == v) for v in range(len(parts))]
    weights = [one.weights for one in groups]
    seconds = world.clock.seconds
    return PriceRules(
        quote=board.quote.astype(np.int64),
        venue=board.venue.astype(np.int64),
        order=np.array([asset for asset, _ in valued_by], dtype=np.int64),
        member_start=_starts([some for _, some in valued_by]),
        member=_joined([some for _, some in valued_by]),
        opening_price=board.opening_price,
        opening_value=board.opening_value,
        group=group,
        group_start=_starts(weights),
        group_market=_joined([list(some) for some in weights]),
        group_weight=_floats([w for some in weights for w in some.values()]),
        group_median=np.array([one.method != "mean" for one in groups], dtype=np.bool_),
        group_outlier=_floats([one.outlier for one in groups]),
        part_start=_starts(parts),
        part_kind=np.array([_kind(part) for part in flat], dtype=np.int64),
        part_source=np.array([SOURCES[getattr(p, "of", "last")] for p in flat], dtype=np.int64),
        part_gain=_floats([_gain(part, seconds) for part in flat]),
        part_window=_floats([_window(part) for part in flat]),
        part_lag=np.array(
            [world.clock.span(getattr(part, "lag", 0.0)) for part in flat], dtype=np.int64
        ),
        venue_start=_starts(by_venue),
        venue_market=_joined(by_venue),
    )


def _kind(part: Any) -> int:
    return GEOMETRIC if getattr(part, "mean", "") == "geometric" else KINDS[part.kind]


def _gain(part: Any, seconds: float) -> float:
    """Return the weight of a moving average's new sample, or the deviation of an oracle."""
    if part.kind != "ema":
        return float(getattr(part, "deviation", 0.0))
    return -math.expm1(-seconds * math.log(2.0) / float(part.half_life))


def _window(part: Any) -> float:
    """Return the window of a mean or the heartbeat of an oracle [s]."""
    return float(getattr(part, "window", getattr(part, "heartbeat", 0.0)))


def price_state(world: World, rules: PriceRules, funding: FundingState) -> PriceState:
    """Return the state of the prices at the start; prices are the world's own arrays."""
    board = world.board
    parts, markets = len(rules.part_kind), len(board.ids)
    sources = np.stack([board.last, board.index, board.last - board.index])
    start: FloatArray = sources[rules.part_source]
    means = (rules.part_kind == TWAP) | (rules.part_kind == GEOMETRIC)
    windows = np.where(means, rules.part_window, 0.0)
    longest = float(windows.max(initial=0.0))
    room = 2 * (math.ceil(longest / world.clock.seconds) + 2) if longest else 0
    room = max(room, int(rules.part_lag.max(initial=0)))
    past = np.zeros((parts, room, markets))
    oracles = rules.part_kind == ORACLE
    past[oracles] = start[oracles][:, None, :]
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
        deviation=past,
        begin=np.zeros(parts, dtype=np.int64),
        end=np.zeros(parts, dtype=np.int64),
        funding_count=funding.clock,
        funding_weight=funding.weight,
        funding=funding.market,
    )


def _starts(parts: Sequence[Any]) -> IntArray:
    return starts(np.array([len(some) for some in parts], dtype=np.int64))


def _floats(values: Sequence[float]) -> FloatArray:
    return np.array(values, dtype=np.float64)


def _joined(parts: Sequence[Any]) -> IntArray:
    return np.concatenate([np.empty(0, dtype=np.int64), *map(np.asarray, parts)]).astype(np.int64)
