"""Couplings at work: what one venue's orders and price gaps do to the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import FloatArray, IntArray
from sim.engine.board import BatchFills, Flow, net_side_shares
from sim.engine.causes import Booking
from sim.models.coupling import (
    ArbitrageTrades,
    Quote,
    arbitrage_flows,
    closing_share,
    transmitted_moves,
)

if TYPE_CHECKING:
    from sim.engine.world import World
    from sim.schema import Scenario


@dataclass(frozen=True)
class CouplingGroup:
    """Markets of one asset that a coupling ties together.

    ``slots`` are the arbitrageur's position slots, one per market; empty for cross impact.
    """

    kind: str
    markets: IntArray
    slots: IntArray
    phi: float = 0.0
    kappa: float | None = None
    time_constant: float | None = None


def coupled_markets(scenario: Scenario, coupling: object) -> list[int]:
    """Return the markets (numbers) that a coupling entry of the scenario ties together."""
    asset = getattr(coupling, "asset", None)
    venues = getattr(coupling, "venues", None) or list(scenario.venues)
    return [k for k, m in enumerate(scenario.markets) if m.base == asset and m.venue in venues]


def transmit(world: World, groups: list[CouplingGroup], fills: BatchFills, flow: Flow) -> None:
    """Pass a share of a batch's own impacts on to the coupled venues."""
    board = world.board
    up = board.up[board.venue]
    for group in groups:
        if group.kind != "cross_impact":
            continue
        members = [int(m) for m in group.markets if up[m]]
        impact = [float(fills.move[m]) for m in members]
        if not any(impact):
            continue
        worth = [float(world.quote_price[m]) for m in members]
        passed = transmitted_moves(impact, worth, group.phi)
        for j, target in enumerate(members):
            moves: dict[Booking, float] = {}
            for i, source in enumerate(members):
                if passed[i][j] != 0.0:
                    _spread(moves, passed[i][j], flow[source])
            if moves:
                board.move(target, moves)


def _spread(moves: dict[Booking, float], total: float, parts: dict[Booking, float]) -> None:
    """Add a move to `moves`, split over the bookings that made it."""
    for booking, share in net_side_shares(parts).items():
        moves[booking] = moves.get(booking, 0.0) + total * share


def close_opened_gaps(
    world: World, groups: list[CouplingGroup], before: FloatArray, generation: int | None
) -> None:
    """Let arbitrageurs answer the gaps that one batch opened (share kappa)."""
    for group in groups:
        if group.kind == "arbitrage" and group.kappa:
            gaps = (world.board.last - before) * world.quote_price
            arbitrage(world, group, gaps, group.kappa, generation)


def close_level_gaps(world: World, groups: list[CouplingGroup], seconds: float) -> None:
    """Let arbitrageurs close gaps between price levels with their time constant.

    A difference that stood at the start (a basis) is fair and stays.
    """
    board = world.board
    for group in groups:
        if group.kind == "arbitrage" and group.time_constant is not None and seconds > 0.0:
            gaps = board.last * world.quote_price - board.opening_value
            arbitrage(world, group, gaps, closing_share(seconds, group.time_constant), None)


def arbitrage(
    world: World, group: CouplingGroup, gaps: FloatArray, kappa: float, generation: int | None
) -> None:
    """Trade a group towards a common level and book moves by the venue that pulled."""
    board, ledger = world.board, world.ledger
    tradable = board.tradable
    keep = [i for i, m in enumerate(group.markets) if tradable[m]]
    members = [int(group.markets[i]) for i in keep]
    trades = arbitrage_flows([_quote(world, m, float(gaps[m])) for m in members], kappa)
    if trades is None:
        return
    flow: Flow = {}
    for i, market in enumerate(members):
        if trades.contracts[i] != 0.0:
            pulls = _pulls(world, members, gaps, trades, i)
            flow[market] = {(cause, generation): part for cause, part in pulls.items()}
    fills = board.execute(flow)
    active = np.array([i for i, m in enumerate(members) if m in flow], dtype=np.int64)
    traded = np.array(members, dtype=np.int64)[active]
    slots = group.slots[np.array(keep, dtype=np.int64)[active]]
    ledger.trade(slots, np.array(trades.contracts)[active], fills.average[traded], "arbitrage")


def _pulls(
    world: World, members: list[int], gaps: FloatArray, trades: ArbitrageTrades, i: int
) -> dict[str, float]:
    """Return the contracts traded on member i by the venue whose price pulled at it."""
    board, quantity = world.board, trades.contracts[i]
    pull: dict[str, float] = {}
    for j, other in enumerate(members):
        part = trades.weight[j] * float(gaps[other] - gaps[members[i]])
        if j != i and part != 0.0:
            pull[f"arbitrage:{board.venue_names[board.venue[other]]}"] = part
    total = sum(pull.values())
    if total == 0.0:
        return {f"arbitrage:{board.venue_names[board.venue[members[i]]]}": quantity}
    return {cause: quantity * (part / total) for cause, part in pull.items()}


def _quote(world: World, market: int, gap: float) -> Quote:
    board = world.board
    impact, worth = board.impact[market], float(world.quote_price[market])
    price, anchor = float(board.last[market]), float(board.anchor[market])
    liquidity = float(board.liquidity[market])

    def contracts_for(move: float) -> float:
        target = max(price + move / worth, 0.0)
        return impact.quantity_to_reach(price, anchor, target, liquidity)

    size = float(board.multiplier[market])
    slope = impact.slope(price, anchor, liquidity) * worth / size
    return Quote(gap, contracts_for, slope, size)
