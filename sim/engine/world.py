"""The state of a run: ledger, markets, accounts and what the phases remember between ticks."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, Int16Array, Int32Array, IntArray
from sim.core.clock import TickClock
from sim.engine.auction import Auction
from sim.kernels.margin import MarginInputs, MarginOutputs, account_margin
from sim.ledger import Ledger, RowPlan
from sim.models.margin import MarginTables

if TYPE_CHECKING:
    from sim.engine.board import MarketBoard
    from sim.engine.events import EventLog
    from sim.engine.mechanism import Mechanism
    from sim.engine.roster import Roster
    from sim.engine.watch import Watch
    from sim.models.shock import Exogenous
    from sim.schema import Liquidation, Scenario

NOT_LABELLED = -1
"""Generation label of an account that is not liquidatable."""


@dataclass
class TopUpInTransit:
    """Collateral on its way to a called account."""

    arrival: int
    row: int
    column: int
    amount: float
    value: float


@dataclass
class Flows:
    """What happened per clearer (V,) since the last recorded tick [numeraire]."""

    liquidated: FloatArray
    backstop: FloatArray
    adl: FloatArray
    shortfall: FloatArray
    fund_used: FloatArray
    socialised: FloatArray
    house_loss: FloatArray
    fees: FloatArray

    @classmethod
    def zero(cls, venues: int) -> Flows:
        """Return flows of nothing for V clearers."""
        return cls(*(np.zeros(venues) for _ in range(8)))

    def add(self, other: Flows) -> None:
        """Add another period's flows to this one."""
        for name in self.__dataclass_fields__:
            getattr(self, name).__iadd__(getattr(other, name))

    def clear(self) -> None:
        """Set every flow to zero."""
        for name in self.__dataclass_fields__:
            getattr(self, name)[:] = 0.0


@dataclass
class World:
    """Everything that changes during a run, and the tables it is judged by.

    Rows 0 .. A - 1 of the ledger are the traders' accounts. Units: prices [quote/base],
    balances [asset units], equity and margin [numeraire].

    Attributes
    ----------
    clearer, cohort : (A,) int16
        Venue that margins the account; number of its cohort or book.
    trader : (A,) int32
        Owner, numbered over all rosters.
    trader_rows : (N + 1,) int32
        First account of each trader.
    wallet_row : (N,) int32
        Ledger row of each trader's outside wallet, or -1.
    columns : (K,) int64
        Asset of each balance column.
    asset_price : (assets,) float64 [numeraire]
    haircut : (V, K) float64 [1]
    required : (A,) float64 [1]
        Margin ratio below which the account is liquidated: 1, more while a slice-wise
        liquidation runs or after a margin call ran out.
    deadline : (A,) int32
        Tick at which a margin call runs out, or -1.
    label : (A,) int32
        Generation of a liquidatable account, or `NOT_LABELLED`.
    step : (A,) int32
        Batches sold in the present liquidation episode.
    loss_generation : (A,) int32
        Generation in which an account's last shortfall arose.
    liquidated, closed : (A,) bool
        Ever sold by force; closed out entirely by force.
    batch_due : (V,) int64
        Tick of the next batch of a clearer with latency, or -1 when idle.
    settlement : (V,) int64
        Balance column in which a clearer charges and compensates.
    checked : bool
        Whether invariants are checked after every phase and generation.
    keep : (V, K) float64 [1]
        What a clearer's haircut leaves of each balance asset.
    watch : Watch, optional
        Knows which accounts could have crossed a level; None before the run begins.
    mechanisms : list of Mechanism
        What venues do by the clock beside margining, in the order in which they act.
    auction : Auction
        Voluntary orders that wait for a halted market to re-open.
    """

    scenario: Scenario
    clock: TickClock
    plan: RowPlan
    ledger: Ledger
    board: MarketBoard
    tables: MarginTables
    exogenous: Exogenous
    rosters: list[Roster]
    roster_offset: IntArray
    clearer: Int16Array
    cohort: Int16Array
    trader: Int32Array
    trader_rows: Int32Array
    wallet_row: Int32Array
    columns: IntArray
    asset_price: FloatArray
    free_price: FloatArray
    haircut: FloatArray
    settlement: IntArray
    rules: list[Liquidation]
    events: EventLog
    out: MarginOutputs
    required: FloatArray
    deadline: Int32Array
    label: Int32Array
    step: Int32Array
    loss_generation: Int32Array
    liquidated: BoolArray
    closed: BoolArray
    batch_due: IntArray
    flows: Flows
    totals: Flows
    transit: list[TopUpInTransit] = field(default_factory=list)
    in_flight: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    deficits: dict[int, dict[int, float]] = field(default_factory=lambda: defaultdict(dict))
    market_slots: dict[tuple[int, int], IntArray | Int32Array] = field(default_factory=dict)
    tick: int = 0
    checked: bool = False
    watch: Watch | None = None
    mechanisms: list[Mechanism] = field(default_factory=list)
    auction: Auction = field(init=False)

    def __post_init__(self) -> None:
        self.auction = Auction(len(self.board.ids))
        self.keep = 1.0 - self.haircut
        price = self.asset_price[self.columns]
        self._inputs = MarginInputs(
            self.ledger.position_start,
            self.ledger.market,
            self.ledger.quantity,
            self.ledger.entry_price,
            self.clearer,
            self.ledger.balance,
            price * self.keep,
            price,
            self.board.mark,
            self.board.multiplier,
            self.quote_price,
            self.tables.floor,
            self.tables.rate,
            self.tables.deduction,
        )

    @property
    def accounts(self) -> int:
        """Number of traders' accounts A."""
        return self.plan.accounts

    @property
    def venue_names(self) -> list[str]:
        """Names of the venues in the scenario's order."""
        return self.board.venue_names

    @property
    def quote_price(self) -> FloatArray:
        """Numeraire value of each market's quote asset (M,)."""
        return np.asarray(self.asset_price[self.board.quote])

    def margin_inputs(self, prices: FloatArray | None = None) -> MarginInputs:
        """Return the kernel's view of the world, at the marks or at other `prices` (M,).

        Its arrays belong to the world and follow it; they are good until prices change.
        """
        inputs = self._inputs
        inputs.asset_price[:] = self.asset_price[self.columns]
        np.multiply(inputs.asset_price, self.keep, out=inputs.weight_positive)
        inputs.quote_price[:] = self.quote_price
        return inputs if prices is None else inputs._replace(mark_price=prices)

    def revalue(self, rows: IntArray) -> IntArray:
        """Bring equity, maintenance margin and notional of accounts up to date.

        Returns those of `rows` that are below their required margin ratio.
        """
        return account_margin(self.margin_inputs(), rows, self.required, self.out)

    def suspects(self) -> IntArray:
        """Return the accounts that may have lost or regained their equity since last asked.

        Everybody else's equity is above rounding if it was then, and unchanged if it was not.
        """
        return np.arange(self.accounts) if self.watch is None else self.watch.suspects()

    def account_id(self, row: int) -> str:
        """Return the id of an account row."""
        k = int(self.cohort[row])
        return self.rosters[k].account_id(row - int(self.roster_offset[k]))

    def trader_id(self, row: int) -> str:
        """Return the id of the trader who owns an account row."""
        k = int(self.cohort[row])
        return self.rosters[k].owner_id(row - int(self.roster_offset[k]))

    def fund_value(self, venue: int) -> float:
        """Return what a clearer's insurance fund holds [numeraire]."""
        row = self.ledger.balance[self.plan.first_fund + venue]
        return float(row @ self.asset_price[self.columns])

    def layer(self, venue: int, kind: str) -> object | None:
        """Return a clearer's waterfall layer of a kind, or None."""
        venues = list(self.scenario.venues.values())
        return next((layer for layer in venues[venue].waterfall if layer.kind == kind), None)
