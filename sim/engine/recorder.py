"""What a run writes down, as columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim.core.arrays import FloatArray
from sim.core.series import CATALOGUE
from sim.engine.break_tables import break_tables
from sim.engine.cells import Cells
from sim.engine.growing import GrowingArray
from sim.engine.opening import Opening, opening_of
from sim.ledger.invariants import conservation_error

if TYPE_CHECKING:
    import pandas as pd

    from sim.engine.world import World

PRICES = (
    "tick", "time", "venue", "symbol", "last_price", "mark_price", "index_price", "depth",
)  # fmt: skip
VENUES = (
    "tick", "time", "venue", "equity", "open_interest_notional", "liquidated_notional",
    "backstop_notional", "adl_notional", "shortfall", "insurance_fund", "socialised_loss",
    "halted",
)  # fmt: skip
CAUSES = ("tick", "generation", "venue", "symbol", "cause", "price_move")
COHORTS = ("tick", "cohort", "venue", "accounts_alive", "equity", "gross_notional")
MECHANISMS = ("tick", "time", "venue", "symbol", "series", "value")

CONSERVATION_CHECKS = 16
"""Recorded ticks at which the whole ledger is checked, about; the last one comes on top."""


class Recorder:
    """Collects the tables of one run, a row each ``record.every`` and at the last tick.

    Flow columns (liquidated, backstop, ADL notional, shortfall, socialised loss) add up what
    happened since the row before; the others are the state at the tick. Price causes keep the
    tick of forced moves and add up the others likewise. No row costs more for more accounts.

    Attributes
    ----------
    stride : int
        Ticks from one row to the next.
    lowest, highest : (M,) float64 [quote/base]
        Extremes of last prices so far, over the ends of ticks.
    drawdown : (M,) float64 [1]
        Largest fall from the highest price so far.
    farthest, move_then, exogenous_then : (M,) float64 [quote/base]
        Largest distance of the last price from where it began, the move that made it, and the
        part of it that exogenous returns made. All six are only changed in place.
    worst_conservation : float
        Worst relative error of money and quantity, see `conservation_error`. The whole ledger is
        gone through for it at about `CONSERVATION_CHECKS` evenly spaced rows and at the last.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        every = world.scenario.record.every
        self.stride = 1 if every is None else max(1, round(every / world.clock.seconds))
        self.cells = Cells(world)
        markets, venues = len(world.board.last), len(world.venue_names)
        rows = -(-world.clock.ticks // self.stride) + 1
        self._ticks = GrowingArray((), np.int64, rows)
        self._prices = GrowingArray((markets, 4), np.float64, rows)
        self._venues = GrowingArray((venues, 8), np.float64, rows)
        self._halted = GrowingArray((venues,), np.bool_, rows)
        self._alive = GrowingArray((len(self.cells.present),), np.int64, rows)
        self._cohorts = GrowingArray((len(self.cells.present), 2), np.float64, rows)
        self.series = [one for mechanism in world.mechanisms for one in mechanism.series()]
        undeclared = {one.name for one in self.series} - set(CATALOGUE)
        if undeclared:
            raise ValueError(f"series {sorted(undeclared)} are not declared in sim.core.series")
        self._series = GrowingArray((len(self.series),), np.float64, rows)
        self._causes = GrowingArray((4,), np.int32)
        self._moves = GrowingArray((), np.float64)
        self._cause_names: dict[str, int] = {}
        self.lowest = world.board.last.copy()
        self.highest = world.board.last.copy()
        self.farthest = np.zeros(markets)
        self.exogenous_then = np.zeros(markets)
        self.move_then = np.zeros(markets)
        self.drawdown = np.zeros(markets)
        self.worst_conservation = 0.0
        self._check_every = -(-rows // CONSERVATION_CHECKS)
        self.opening_interest = self.cells.totals.long.copy()
        self.opening_outside = world.ledger.quantity[world.ledger.outside_position].copy()
        self.opening: Opening | None = None

    def open(self) -> None:
        """Note what accounts have before the first tick."""
        self.opening = opening_of(self.world, self.cells)

    def record(self) -> None:
        """Note the extremes of every tick, and a full row at the stride."""
        self.extremes()
        if self.is_row(self.world.tick):
            self.row()

    def is_row(self, tick: int) -> bool:
        """Return whether a tick has rows: every stride, and the last tick."""
        return tick % self.stride == 0 or tick == self.world.clock.ticks - 1

    def extremes(self) -> None:
        """Note how far the last prices of this tick are from where they were."""
        board = self.world.board
        last = board.last
        np.minimum(self.lowest, last, out=self.lowest)
        np.maximum(self.highest, last, out=self.highest)
        np.maximum(self.drawdown, 1.0 - last / self.highest, out=self.drawdown)
        move = last - board.initial
        distance = np.abs(move)
        farther = distance > self.farthest
        if farther.any():
            np.copyto(self.farthest, distance, where=farther)
            np.copyto(self.exogenous_then, board.causes.price_move("exogenous"), where=farther)
            np.copyto(self.move_then, move, where=farther)

    def row(self) -> None:
        """Append the rows of the present tick."""
        world, number = self.world, self._ticks.size
        self._ticks.append(world.tick)
        self._note_prices()
        self._note_causes()
        self._note_accounts()
        self._series.append(np.array([one.read() for one in self.series]))
        if number % self._check_every == 0 or world.tick == world.clock.ticks - 1:
            error = conservation_error(world.ledger)
            self.worst_conservation = float(np.maximum(self.worst_conservation, error))
        world.totals.add(world.flows)
        world.flows.clear()
        if world.breaks is not None:
            world.breaks.row()

    def _note_prices(self) -> None:
        board = self.world.board
        row = self._prices.extend(1)[0]
        row[:, 0], row[:, 1], row[:, 2] = board.last, board.mark, board.index
        row[:, 3] = board.depths()

    def _note_causes(self) -> None:
        found = self.world.board.causes.flush()
        if not found:
            return
        names = self._cause_names
        tick, generation, market, cause, move = zip(*found, strict=True)
        rows = self._causes.extend(len(found))
        rows[:, 0], rows[:, 1], rows[:, 2] = tick, generation, market
        rows[:, 3] = [names.setdefault(name, len(names)) for name in cause]
        self._moves.extend(len(found))[:] = move

    def _note_accounts(self) -> None:
        world, cells, flows = self.world, self.cells, self.world.flows
        equity, present = cells.equity(), cells.present
        row = self._venues.extend(1)[0]
        row[:, 0], row[:, 1] = cells.by_clearer(equity), cells.open_interest()
        row[:, 2], row[:, 3], row[:, 4] = flows.liquidated, flows.backstop, flows.adl
        row[:, 5], row[:, 7] = flows.shortfall, flows.socialised
        row[:, 6] = [world.fund_value(v) for v in range(len(row))]
        self._halted.append(world.board.halted)
        self._alive.append(cells.alive()[present])
        row = self._cohorts.extend(1)[0]
        row[:, 0], row[:, 1] = equity[present], cells.notional()[present]

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the tables of the run."""
        return {
            "prices": self._price_table(),
            "venues": self._venue_table(),
            "price_causes": self._cause_table(),
            "cohorts": self._cohort_table(),
            "liquidations": self.world.events.table(self.world),
            "mechanisms": self._mechanism_table(),
            **break_tables(self.world),
        }

    def _price_table(self) -> pd.DataFrame:
        markets = self.world.scenario.markets
        symbols = _texts([market.symbol for market in markets])
        return self._table(
            PRICES, _texts([market.venue for market in markets]), symbols, *_columns(self._prices)
        )

    def _venue_table(self) -> pd.DataFrame:
        halted = self._halted.values.ravel()
        names = _texts(self.world.venue_names)
        return self._table(VENUES, names, *_columns(self._venues), halted)

    def _cohort_table(self) -> pd.DataFrame:
        world, cells = self.world, self.cells
        cohort, clearer = cells.cohort[cells.present], cells.clearer[cells.present]
        names = _texts([roster.name for roster in world.rosters])[cohort]
        venues = _texts(world.venue_names)[clearer]
        alive = self._alive.values.ravel()
        return self._table(COHORTS, names, venues, alive, *_columns(self._cohorts))

    def _cause_table(self) -> pd.DataFrame:
        tick, generation, market, cause = self._causes.values.astype(np.int64).T
        markets = self.world.scenario.markets
        venues, symbols = _texts([m.venue for m in markets]), _texts([m.symbol for m in markets])
        names = _texts(list(self._cause_names))[cause]
        moves = self._moves.values
        columns = (tick, generation, venues[market], symbols[market], names, moves)
        return _frame(dict(zip(CAUSES, columns, strict=True)))

    def _mechanism_table(self) -> pd.DataFrame:
        """Return the series of all mechanisms; without rows where there is none."""
        markets, venues = self.world.scenario.markets, self.world.venue_names
        listed = [(markets[one.market].symbol if one.market >= 0 else "") for one in self.series]
        return self._table(
            MECHANISMS,
            _texts([venues[one.venue] for one in self.series]),
            _texts(listed),
            _texts([one.name for one in self.series]),
            self._series.values.ravel(),
        )

    def _table(self, names: tuple[str, ...], *columns: NDArray[Any]) -> pd.DataFrame:
        """Return a table with the same things at every recorded tick.

        Columns are those after tick and time; of one as long as there are things, every recorded
        tick gets all.
        """
        ticks = self._ticks.values
        count = len(columns[0])
        time: FloatArray = ticks * self.world.clock.seconds
        content: dict[str, NDArray[Any]] = {"tick": np.repeat(ticks, count)}
        if "time" in names:
            content["time"] = np.repeat(time, count)
        for name, column in zip(names[len(content) :], columns, strict=True):
            content[name] = np.tile(column, len(ticks)) if column.dtype == object else column
        return _frame(content)


def _texts(values: list[str]) -> NDArray[Any]:
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found


def _columns(rows: GrowingArray) -> list[NDArray[Any]]:
    """Return the last axis of rows (N, things, columns) as columns (N * things,)."""
    values = rows.values
    return list(values.reshape(-1, values.shape[-1]).T)


def _frame(columns: dict[str, NDArray[Any]]) -> pd.DataFrame:
    import pandas as pd

    # Named so, texts stay what they are in every version of pandas.
    return pd.DataFrame(
        {
            name: pd.Series(values, dtype=object) if values.dtype == object else values
            for name, values in columns.items()
        }
    )
