"""Margin that changes during a run: risk models and stress multipliers.

Both act after the mark phase, so that the margin check of the same tick judges accounts by the
new rates. The tables are changed in place; every account of the clearer then counts as changed,
so that it is looked at whatever the watch knew of it. While a clearer is down nothing is sampled
or set; its first sample afterwards holds the return over the whole time.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from sim.core.arrays import FloatArray, IntArray
from sim.engine.mechanism import Mechanism, Series
from sim.engine.pricing import index_groups, index_prices
from sim.models.margin.procyclicality import ewma_variance
from sim.models.margin.risk_model import RiskModelRates
from sim.models.margin.stress import multiplied_tiers, realised_volatility, stress_multiplier

if TYPE_CHECKING:
    from sim.engine.world import World
    from sim.schema import RiskModel, StressMargin


class ClearerRates:
    """The rates of one clearer, and what they are multiplied by.

    Parameters
    ----------
    world : World
    clearer : int

    Attributes
    ----------
    markets : (N,) int64
        Markets in which an account may hold positions under a rule of the clearer.
    shown : (S,) int64
        Places in `markets` of those that are recorded: the clearer's own, or all where it
        lists none, each symbol once.
    rate, deduction, initial : (M, T) float64 [1], [quote], [1]
    size_rate, size_root : (M,) float64 [1/base], [1/sqrt(base)]
        All without the multiplier.
    multiplier : (M,) float64 [1]
    """

    def __init__(self, world: World, clearer: int) -> None:
        self.world, self.clearer = world, clearer
        tables, listed = world.tables, world.scenario.markets
        self.rate = tables.rate[clearer].copy()
        self.deduction = tables.deduction[clearer].copy()
        self.initial = tables.initial_rate[clearer].copy()
        self.size_rate = tables.size_rate[clearer].copy()
        self.size_root = tables.size_root[clearer].copy()
        self.multiplier = np.ones(len(listed))
        margined = [market.kind != "spot" for market in listed]
        self.markets = np.flatnonzero(margined & ~np.isnan(self.rate[:, 0]))
        own = np.flatnonzero(world.board.venue[self.markets] == clearer)
        places = own if len(own) else np.arange(len(self.markets))
        first = {listed[self.markets[k]].symbol: k for k in places[::-1].tolist()}
        self.shown = np.array(sorted(first.values()), dtype=np.int64)

    def write(self) -> None:
        """Bring the tables up to date; have all accounts looked at if anything changed."""
        world, v, factor = self.world, self.clearer, self.multiplier[:, None]
        tables = world.tables
        rate, deduction = multiplied_tiers(
            tables.floor[v], self.rate, self.deduction, self.multiplier
        )
        highest = np.maximum(self.initial, 1.0)  # nobody asks more than the notional to open
        initial = np.maximum(np.minimum(self.initial * factor, highest), rate)
        sizes = self.size_rate * self.multiplier, self.size_root * self.multiplier
        new = (rate, deduction, initial, *sizes)
        old = (
            tables.rate[v], tables.deduction[v], tables.initial_rate[v], tables.size_rate[v],
            tables.size_root[v],
        )  # fmt: skip
        if all(np.array_equal(a, b, equal_nan=True) for a, b in zip(new, old, strict=True)):
            return
        for values, place in zip(new, old, strict=True):
            place[:] = values
        world.ledger.note_changed(np.flatnonzero(world.clearer[: world.accounts] == v))

    def series(self, name: str, values: FloatArray) -> list[Series]:
        """Return a series for each market that is shown, of values (N,) changed in place."""
        return [
            Series(name, self.clearer, int(self.markets[k]), partial(_item, values, int(k)))
            for k in self.shown
        ]


def _item(values: FloatArray, place: int) -> float:
    return float(values[place])


class _Sampling(Mechanism):
    """Something that samples the index prices of a clearer's markets."""

    phases: ClassVar[tuple[str, ...]] = ("mark",)

    def __init__(self, rates: ClearerRates, sample: float) -> None:
        super().__init__(rates.world)
        self.rates = rates
        self.stride = self.world.clock.span(sample)
        self._price = self.world.board.index[rates.markets]
        self._sampled_at = 0

    @property
    def up(self) -> bool:
        """Whether the clearer is in operation, after the start."""
        return self.world.tick > 0 and bool(self.world.board.up[self.rates.clearer])

    def take(self) -> tuple[FloatArray, int]:
        """Return the log returns (N,) since the last sample and the ticks they span."""
        price = self.world.board.index[self.rates.markets]
        found = np.log(price / self._price), self.world.tick - self._sampled_at
        self._price, self._sampled_at = price, self.world.tick
        return found

    def quiet_until(self, tick: int) -> int:
        """Return the tick of the next sample."""
        return next_multiple(tick, self.stride)


def next_multiple(tick: int, stride: int) -> int:
    """Return the first multiple of a stride that is at least `tick`."""
    return -(-tick // stride) * stride


class RiskModelMargin(_Sampling):
    """Sets a clearer's rates from the volatility of its markets.

    Parameters
    ----------
    rates : ClearerRates
    model : RiskModel
    """

    def __init__(self, rates: ClearerRates, model: RiskModel) -> None:
        super().__init__(rates, model.sample)
        self.every = self.world.clock.span(model.every)
        scenario = self.world.scenario
        self.model = RiskModelRates(model, scenario, [scenario.markets[m] for m in rates.markets])
        self.variance = self.model.start**2
        self.decay = model.decay
        self._volatility = self.model.annual(self.model.start)
        self._shown_rate = rates.rate[rates.markets, 0]

    def act(self, phase: str) -> None:
        """Sample and set margins where it is time to."""
        if not self.up:
            return
        if self.world.tick % self.stride == 0:
            log_return, ticks = self.take()
            samples = ticks / self.stride
            self.variance = ewma_variance(self.variance, log_return, self.decay, samples)
            self._volatility[:] = self.model.annual(np.sqrt(self.variance))
        if self.world.tick % self.every == 0:
            rate = self.model.maintenance(np.sqrt(self.variance))
            self.rates.rate[self.rates.markets] = rate[:, None]
            self.rates.initial[self.rates.markets] = self.model.initial(rate)[:, None]
            self.rates.write()

    def quiet_until(self, tick: int) -> int:
        """Return the tick of the next sample or new margin."""
        return min(super().quiet_until(tick), next_multiple(tick, self.every))

    def series(self) -> list[Series]:
        """Return the rate in force and the model's annualised volatility of each market."""
        rates = self.rates
        in_force = [
            Series("margin_rate", rates.clearer, int(m), partial(self._rate, int(m)))
            for m in rates.markets[rates.shown]
        ]
        return in_force + rates.series("model_volatility", self._volatility)

    def _rate(self, market: int) -> float:
        return float(self.world.tables.rate[self.rates.clearer, market, 0])


class StressMultiplier(_Sampling):
    """Multiplies a clearer's margins while the realised volatility of a market is high.

    Parameters
    ----------
    rates : ClearerRates
    stress : StressMargin
    """

    def __init__(self, rates: ClearerRates, stress: StressMargin) -> None:
        super().__init__(rates, stress.sample)
        scenario, seconds = self.world.scenario, self.world.clock.seconds
        self.window = self.world.clock.span(stress.window)
        self._seconds, self._length = seconds, self.window * seconds
        bases = [scenario.markets[m].base for m in rates.markets]
        self._own = np.array([scenario.assets[base].volatility for base in bases])
        self._steps = [step.volatility for step in stress.steps]
        self._multipliers = [step.multiplier for step in stress.steps]
        kept = self.window // self.stride
        self._squares = np.zeros((kept, len(rates.markets)))
        self._spans: IntArray = np.zeros(kept, dtype=np.int64)
        self._ends: IntArray = np.full(kept, -self.window, dtype=np.int64)
        self._volatility = self._own.copy()
        self._multiplier = np.ones(len(rates.markets))

    def act(self, phase: str) -> None:
        """Sample and multiply where it is time to."""
        tick = self.world.tick
        if not self.up or tick % self.stride:
            return
        log_return, ticks = self.take()
        slot = (tick // self.stride) % len(self._ends)
        self._squares[slot], self._spans[slot], self._ends[slot] = log_return**2, ticks, tick
        within = self._ends > tick - self.window
        covered = float(self._spans[within].sum()) * self._seconds
        squares = self._squares[within].sum(axis=0)
        self._volatility[:] = realised_volatility(squares, covered, self._length, self._own)
        self._multiplier[:] = stress_multiplier(self._volatility, self._steps, self._multipliers)
        self.rates.multiplier[self.rates.markets] = self._multiplier
        self.rates.write()

    def series(self) -> list[Series]:
        """Return realised volatility and multiplier of each market."""
        volatility = self.rates.series("realised_volatility", self._volatility)
        return volatility + self.rates.series("margin_multiplier", self._multiplier)


def build_recalibration(world: World) -> list[Mechanism]:
    """Return the risk models and stress multipliers of all clearers."""
    found: list[Mechanism] = []
    for v, venue in enumerate(world.scenario.venues.values()):
        margin = venue.margin
        if margin is None or (margin.risk_model is None and margin.stress is None):
            continue
        if not found:
            index_prices(world, *index_groups(world))  # what the first return counts from
        rates = ClearerRates(world, v)
        if margin.risk_model is not None:
            found.append(RiskModelMargin(rates, margin.risk_model))
        if margin.stress is not None:
            found.append(StressMultiplier(rates, margin.stress))
    return found
