"""What the waterfalls of a run remember: members, closed positions, peaks, previous marks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, IntArray
from sim.engine.initial_margin import initial_margin
from sim.models.waterfall import FundPeak, contributions
from sim.schema.waterfall import Adl, DefaultFund, Drawdown, InsuranceFund, Socialise

if TYPE_CHECKING:
    from sim.core.streams import Streams
    from sim.engine.world import World
    from sim.schema import Layer


@dataclass
class Members:
    """The accounts of a clearer as members of its default fund.

    Attributes
    ----------
    rows : (N,) int64
        Ascending.
    opening, left : (N,) float64 [settlement asset]
        Contributions at the start, and what is left of them.
    called, given : (N,) float64 [numeraire]
        Assessments paid so far; gains given up so far.
    defaulted : (N,) bool
        Whether a loss of the account has gone down the waterfall.
    """

    rows: IntArray
    opening: FloatArray
    left: FloatArray
    called: FloatArray
    given: FloatArray
    defaulted: BoolArray

    def place(self, rows: IntArray) -> IntArray:
        """Return where `rows`, which are members, stand in the arrays."""
        return np.searchsorted(self.rows, rows)


class Closings:
    """What forced orders closed of each position (P,), and with what result.

    Kept until its account settles. What an account closes of its own will, and what others close
    of a sound one, counts only if the account is settled at once.

    It is the history of the present position alone: one that is opened anew, or turned round,
    begins another.

    Attributes
    ----------
    realised : (P,) float64 [quote]
    closed : (P,) float64 [contracts]
        Signed as the position was.
    """

    def __init__(self, positions: int) -> None:
        self.realised, self.closed = np.zeros(positions), np.zeros(positions)

    def note(
        self, slots: IntArray, after: FloatArray, change: FloatArray, realised: FloatArray
    ) -> None:
        """Note fills of `slots`, each once, which left the quantities `after`."""
        before = after - change
        self.forget(slots[before == 0.0])
        reduced = np.minimum(np.abs(change), np.abs(before)) * (before * change < 0.0)
        self.realised[slots] += realised
        self.closed[slots] += np.sign(before) * reduced
        self.forget(slots[before * after < 0.0])

    def forget(self, slots: IntArray) -> None:
        """Forget what was closed of `slots`."""
        self.realised[slots] = 0.0
        self.closed[slots] = 0.0


@dataclass
class Waterfalls:
    """State of all waterfalls of a world; most of it exists only where a layer needs it.

    Attributes
    ----------
    layers : list of list of Layer
        Of each venue, in order.
    members : dict
        By venue with a default fund or a gains haircut.
    peaks : dict
        Peak of a fund by its ledger row [settlement asset].
    generators : dict
        By venue with a random order.
    torn, torn_gain : dict
        Notional torn up in this tick by venue and account [numeraire], and the gains that this
        realised.
    closings : Closings, optional
    previous_mark : (M,) float64, optional
        Marks at the end of the tick before.
    """

    layers: Sequence[Sequence[Layer]] = ()
    members: dict[int, Members] = field(default_factory=dict)
    peaks: dict[int, FundPeak] = field(default_factory=dict)
    generators: dict[int, np.random.Generator] = field(default_factory=dict)
    torn: dict[int, dict[int, float]] = field(default_factory=lambda: defaultdict(dict))
    torn_gain: dict[int, dict[int, float]] = field(default_factory=lambda: defaultdict(dict))
    closings: Closings | None = None
    previous_mark: FloatArray | None = None

    def __post_init__(self) -> None:
        self._closes = [
            any(layer.kind in ("adl", "tear_up") for layer in layers) for layers in self.layers
        ]

    def deleverages(self, venue: int) -> bool:
        """Return whether a venue closes positions against other accounts."""
        return self._closes[venue]

    def realised_gain(self, venue: int, rows: IntArray) -> FloatArray:
        """Return the gains (N,) of accounts that tear-ups of this tick realised [numeraire]."""
        torn = self.torn_gain.get(venue, {})
        return np.array([torn.get(row, 0.0) for row in rows.tolist()])

    def forget_torn(self) -> None:
        """Forget the tear-ups of this tick, and what was given up of the gains they realised."""
        for venue, gains in self.torn_gain.items():
            if venue in self.members:
                members = self.members[venue]
                place = members.place(np.array(list(gains), dtype=np.int64))
                left = members.given[place] - np.array(list(gains.values()))
                members.given[place] = np.maximum(left, 0.0)
        self.torn.clear()
        self.torn_gain.clear()


def prepare_waterfalls(world: World, streams: Streams) -> None:
    """Give a world that has its opening money the state of its waterfalls."""
    state = world.waterfall = Waterfalls([v.waterfall for v in world.scenario.venues.values()])
    for v, layers in enumerate(state.layers):
        kinds = {layer.kind for layer in layers}
        if kinds & {"default_fund", "gains_haircut"}:
            state.members[v] = _members(world, v)
        for layer in layers:
            if isinstance(layer, Adl):
                _prepare_adl(world, v, layer, streams)
            by_contract = isinstance(layer, InsuranceFund) and layer.sizes is not None
            opposite = isinstance(layer, Socialise) and layer.basis == "counterparties"
            if (by_contract or opposite) and state.closings is None:
                state.closings = Closings(len(world.ledger.quantity))


def _prepare_adl(world: World, v: int, layer: Adl, streams: Streams) -> None:
    state, name = world.waterfall, world.venue_names[v]
    if layer.order == "random":
        state.generators[v] = streams.generator(f"waterfall.{name}.adl")
    if layer.price == "previous_mark":
        state.previous_mark = world.board.mark.copy()
    if isinstance(layer.trigger, Drawdown):
        for row in fund_rows(world, v):
            state.peaks[row] = FundPeak(world.clock.span(layer.trigger.window))
            state.peaks[row].note(0, fund_size(world, row))


def fund_rows(world: World, venue: int) -> list[int]:
    """Return the ledger rows of a clearer's insurance funds: its own, or one per contract."""
    if not has_fund_per_contract(world, venue):
        return [world.plan.first_fund + venue]
    markets = np.flatnonzero(world.board.venue == venue)
    rows: list[int] = (world.plan.first_contract_fund + markets).tolist()
    return rows


def has_fund_per_contract(world: World, venue: int) -> bool:
    """Return whether a clearer's insurance fund is one per contract."""
    return bool(world.plan.contract_funds) and any(
        isinstance(layer, InsuranceFund) and layer.sizes is not None
        for layer in world.waterfall.layers[venue]
    )


def row_value(world: World, row: int) -> float:
    """Return what a ledger row holds [numeraire]."""
    return float(world.ledger.balance[row] @ world.asset_price[world.columns])


def fund_price(world: World, row: int) -> float:
    """Return the value of one unit of the asset in which a fund is counted [numeraire]."""
    plan, venue = world.plan, row - world.plan.first_fund
    if row >= plan.first_contract_fund:
        venue = int(world.board.venue[row - plan.first_contract_fund])
    return float(world.asset_price[world.columns[world.settlement[venue]]])


def fund_size(world: World, row: int) -> float:
    """Return what an insurance fund holds, in units of its clearer's settlement asset."""
    return row_value(world, row) / fund_price(world, row)


def _members(world: World, v: int) -> Members:
    rows = np.flatnonzero(world.clearer[: world.accounts] == v)
    size = sum(layer.size for layer in world.waterfall.layers[v] if isinstance(layer, DefaultFund))
    paid = contributions(size, initial_margin(world, rows)) if len(rows) else np.zeros(0)
    paid = paid / world.asset_price[world.columns[world.settlement[v]]]
    size_ = len(rows)
    return Members(
        rows, paid, paid.copy(), np.zeros(size_), np.zeros(size_), np.zeros(size_, dtype=bool)
    )
