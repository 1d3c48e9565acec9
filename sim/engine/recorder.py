"""What a run writes down, as columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sim.core.arrays import sums
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
ROUNDING = 1e-9
"""Equity below this share of notional is rounding."""

CAUSES = ("tick", "generation", "venue", "symbol", "cause", "price_move")
COHORTS = ("tick", "cohort", "venue", "accounts_alive", "equity", "gross_notional")


class Recorder:
    """Collects the tables of one run, a row each ``record.every`` and at the last tick.

    Flow columns (liquidated, backstop, ADL notional, shortfall, socialised loss) add up what
    happened since the row before; the others are the state at the tick. Price causes keep the
    tick of forced moves and add up the others likewise.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        every = world.scenario.record.every
        self.stride = 1 if every is None else max(1, round(every / world.clock.seconds))
        self.rows: dict[str, list[tuple[Any, ...]]] = {
            name: [] for name in ("prices", "venues", "price_causes", "cohorts")
        }
        self.lowest = world.board.last.copy()
        self.highest = world.board.last.copy()
        self.farthest = np.zeros(len(world.board.last))
        self.exogenous_then = np.zeros(len(world.board.last))
        self.move_then = np.zeros(len(world.board.last))
        self.drawdown = np.zeros(len(world.board.last))
        self.worst_conservation = 0.0
        ledger = world.ledger
        long = np.maximum(ledger.quantity, 0.0)
        self.opening_interest = sums(ledger.market, long, len(world.board.last))
        self.opening_outside = ledger.quantity[ledger.outside_position].copy()

    def record(self) -> None:
        """Note the extremes of every tick, and a full row at the stride."""
        self._extremes()
        tick = self.world.tick
        if tick % self.stride == 0 or tick == self.world.clock.ticks - 1:
            self._row()

    def _extremes(self) -> None:
        board = self.world.board
        last = board.last
        np.minimum(self.lowest, last, out=self.lowest)
        np.maximum(self.highest, last, out=self.highest)
        np.maximum(self.drawdown, 1.0 - last / self.highest, out=self.drawdown)
        distance = np.abs(last - board.initial)
        farther = distance > self.farthest
        if farther.any():
            self.farthest[farther] = distance[farther]
            self.exogenous_then[farther] = board.causes.price_move("exogenous")[farther]
            self.move_then[farther] = (last - board.initial)[farther]

    def _row(self) -> None:
        world = self.world
        tick, time = world.tick, world.clock.time(world.tick)
        board, markets = world.board, world.scenario.markets
        for m, market in enumerate(markets):
            self.rows["prices"].append(
                (
                    tick, time, market.venue, market.symbol, float(board.last[m]),
                    float(board.mark[m]), float(board.index[m]), board.depth(m),
                )
            )  # fmt: skip
        for then, generation, m, cause, move in board.causes.flush():
            venue, symbol = markets[m].venue, markets[m].symbol
            self.rows["price_causes"].append((then, generation, venue, symbol, cause, move))
        world.revalue(np.arange(world.accounts))
        self._venues(tick, time)
        self._cohorts(tick)
        self.worst_conservation = max(self.worst_conservation, conservation_error(world.ledger))
        world.totals.add(world.flows)
        world.flows.clear()

    def _venues(self, tick: int, time: float) -> None:
        world, board = self.world, self.world.board
        clearer = world.clearer[: world.accounts]
        size = len(world.venue_names)
        equity = sums(clearer, world.out.equity, size)
        long = np.where(world.ledger.quantity > 0.0, world.ledger.quantity, 0.0)
        contracts = sums(world.ledger.market, long, len(board.last))
        nominal = contracts * board.multiplier * board.mark * world.quote_price
        interest = sums(board.venue, nominal, size)
        flows = world.flows
        for v, name in enumerate(world.venue_names):
            self.rows["venues"].append(
                (
                    tick, time, name, float(equity[v]), float(interest[v]),
                    float(flows.liquidated[v]), float(flows.backstop[v]), float(flows.adl[v]),
                    float(flows.shortfall[v]), world.fund_value(v), float(flows.socialised[v]),
                    bool(~board.up[v]),
                )
            )  # fmt: skip

    def _cohorts(self, tick: int) -> None:
        world = self.world
        size = len(world.venue_names)
        key = world.cohort.astype(np.int64) * size + world.clearer[: world.accounts]
        cells = len(world.drafts) * size
        present = np.bincount(key, minlength=cells)
        # An account whose equity is only rounding has none.
        solvent = world.out.equity > ROUNDING * world.out.notional
        alive = sums(key, ~world.closed & solvent, cells)
        equity = sums(key, world.out.equity, cells)
        nominal = sums(key, world.out.notional, cells)
        for cell in np.flatnonzero(present):
            draft, venue = world.drafts[cell // size], world.venue_names[cell % size]
            self.rows["cohorts"].append(
                (
                    tick, draft.name, venue, int(alive[cell]), float(equity[cell]),
                    float(nominal[cell]),
                )
            )  # fmt: skip

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the five tables of the run."""
        import pandas as pd

        columns = {"prices": PRICES, "venues": VENUES, "price_causes": CAUSES, "cohorts": COHORTS}
        kinds = {
            "tick": "int64", "generation": "int64", "accounts_alive": "int64", "halted": "bool",
            "venue": "object", "symbol": "object", "cause": "object", "cohort": "object",
        }  # fmt: skip
        tables = {}
        for name, names in columns.items():
            frame = pd.DataFrame(self.rows[name], columns=list(names))
            tables[name] = frame.astype({n: kinds.get(n, "float64") for n in names})
        tables["liquidations"] = self.world.events.table(self.world)
        return tables
