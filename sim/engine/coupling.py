"""Couplings at work: what one venue's orders and price gaps do to the others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import FloatArray, IntArray
from sim.engine.board import BatchFills, Flow, net_side_shares
from sim.engine.causes import Booking
from sim.engine.limit_bands import fit_to_bands
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

    @cached_property
    def members(self) -> list[int]:
        """The markets as Python numbers."""
        return [int(market) for market in self.markets]


def coupled_markets(scenario: Scenario, coupling: object) -> list[int]:
    """Return the markets (numbers) that a coupling entry of the scenario ties together."""
    asset = getattr(coupling, "asset", None)
    venues = getattr(coupling, "venues", None) or list(scenario.venues)
    return [k for k, m in enumerate(scenario.markets) if m.base == asset and m.venue in venues]


def within_fences(group: CouplingGroup, fence: IntArray) -> list[CouplingGroup]:
    """Return a coupling cut at the fences between its markets.

    Parameters
    ----------
    group : CouplingGroup
    fence : (M,) int64
        Group of each market's venue; nothing couples markets of different groups.
    """
    mine = fence[group.markets]
    if (mine == mine[:1]).all():
        return [group]
    parts = [np.flatnonzero(mine == number) for number in np.unique(mine)]
    has_slots = len(group.slots) > 0
    return [
        replace(
            group,
            markets=group.markets[part],
            slots=group.slots[part] if has_slots else group.slots,
        )
        for part in parts
        if len(part) > 1
    ]


def transmit(world: World, groups: list[CouplingGroup], fills: BatchFills, flow: Flow) -> None:
    """Pass a share of a batch's own impacts on to the coupled venues."""
    board = world.board
    impacts = fills.move.tolist()
    if not any(impacts):
        return
    flow = board.silence.heard(flow)
    up = board.open.tolist()
    for group in groups:
        if group.kind != "cross_impact" or not any(impacts[m] for m in group.members):
            continue
        members = [m for m in group.members if up[m]]
        impact = [impacts[m] for m in members]
        worth = world.quote_price[members].tolist()
        passed = transmitted_moves(impact, worth, group.phi)
        shares = [net_side_shares(flow[m]) if impacts[m] else {} for m in members]
        for j, target in enumerate(members):
            moves: dict[Booking, float] = {}
            for i, sharing in enumerate(shares):
                total = passed[i][j]
                if total != 0.0:
                    for booking, share in sharing.items():
                        moves[booking] = moves.get(booking, 0.0) + total * share
            if moves:
                board.move(target, moves)


def close_opened_gaps(
    world: World, groups: list[CouplingGroup], before: FloatArray, generation: int | None
) -> None:
    """Let arbitrageurs answer the gaps that one batch opened (share kappa)."""
    for group in groups:
        if group.kind == "arbitrage" and group.kappa:
            opened = (world.board.last - before) * world.quote_price
            arbitrage(world, group, opened[group.members].tolist(), group.kappa, generation)


def close_level_gaps(world: World, groups: list[CouplingGroup], seconds: float) -> None:
    """Let arbitrageurs close gaps between price levels with their time constant.

    A difference that stood at the start (a basis) is fair and stays.
    """
    board = world.board
    for group in groups:
        if group.kind == "arbitrage" and group.time_constant is not None and seconds > 0.0:
            levels = board.last * world.quote_price - board.opening_value
            share = closing_share(seconds, group.time_constant)
            arbitrage(world, group, levels[group.members].tolist(), share, None)


def arbitrage(
    world: World, group: CouplingGroup, gaps: list[float], kappa: float, generation: int | None
) -> None:
    """Trade a group towards a common level and book moves by the venue that pulled.

    Parameters
    ----------
    world : World
    group : CouplingGroup
    gaps : list of float [numeraire]
        Of each market of the group.
    kappa : float [1]
        Share of the gaps to close.
    generation : int or None
        Generation that the moves are booked to.
    """
    if all(gap == gaps[0] for gap in gaps):
        return
    board = world.board
    tradable = board.tradable
    # Which of the group can trade now, by their place in it.
    keep = [i for i, m in enumerate(group.members) if tradable[m]]
    members, gaps = [group.members[i] for i in keep], [gaps[i] for i in keep]
    worth = world.quote_price
    quotes = [
        Quote(
            gap,
            board.impact[m],
            board.last.item(m),
            board.anchor.item(m),
            board.liquidity.item(m),
            worth.item(m),
            board.multiplier.item(m),
        )
        for m, gap in zip(members, gaps, strict=True)
    ]
    trades = arbitrage_flows(quotes, kappa)
    if trades is None:
        return
    if board.banded:
        sizes = fit_to_bands(board, group.markets[keep], np.array(trades.contracts))
        trades = replace(trades, contracts=sizes.tolist())
    names = [board.arbitrage_cause[m] for m in members]
    flow: Flow = {}
    active: list[int] = []
    for i, quantity in enumerate(trades.contracts):
        if quantity != 0.0:
            pulls = _pulls(names, gaps, trades, i)
            flow[members[i]] = {(cause, generation): part for cause, part in pulls.items()}
            active.append(i)
    if not active:
        return
    fills = board.execute(flow)
    world.ledger.trade(
        group.slots[[keep[i] for i in active]],
        np.array([trades.contracts[i] for i in active]),
        fills.average[list(flow)],
        "arbitrage",
    )


def _pulls(
    names: list[str], gaps: list[float], trades: ArbitrageTrades, i: int
) -> dict[str, float]:
    """Return the contracts traded on member i by the venue whose price pulled at it."""
    quantity, own = trades.contracts[i], gaps[i]
    pull: dict[str, float] = {}
    for j, (name, weight, gap) in enumerate(zip(names, trades.weight, gaps, strict=True)):
        part = weight * (gap - own)
        if j != i and part != 0.0:
            pull[name] = part
    total = sum(pull.values())
    if total == 0.0:
        return {names[i]: quantity}
    return {name: quantity * (part / total) for name, part in pull.items()}
