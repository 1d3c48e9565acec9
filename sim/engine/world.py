"""The state of a run: ledger, markets, accounts and what the phases remember between ticks."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, Int16Array, Int32Array, IntArray
from sim.core.clock import TickClock
from sim.kernels.margin import MarginInputs, MarginOutputs, account_margin
from sim.ledger import Ledger, RowPlan
from sim.models.margin import MarginTables

if TYPE_CHECKING:
    from sim.engine.board import MarketBoard
    from sim.engine.draft import AccountsDraft
    from sim.engine.events import EventLog
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
        Owner, numbered over all drafts.
    wallet_row : (N,) int64
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
    """

    scenario: Scenario
    clock: TickClock
    plan: RowPlan
    ledger: Ledger
    board: MarketBoard
    tables: MarginTables
    exogenous: Exogenous
    drafts: list[AccountsDraft]
    draft_offset: IntArray
    clearer: Int16Array
    cohort: Int16Array
    trader: Int32Array
    trader_rows: IntArray
    wallet_row: IntArray
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
    tick: int = 0
    checked: bool = False

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
        """Return the kernel's view of the world, at the marks or at other `prices` (M,)."""
        price = self.asset_price[self.columns]
        return MarginInputs(
            self.ledger.position_start,
            self.ledger.market,
            self.ledger.quantity,
            self.ledger.entry_price,
            self.clearer,
            self.ledger.balance,
            price * (1.0 - self.haircut),
            price,
            self.board.mark if prices is None else prices,
            self.board.multiplier,
            self.quote_price,
            self.tables.floor,
            self.tables.rate,
            self.tables.deduction,
        )

    def revalue(self, rows: IntArray) -> IntArray:
        """Bring equity, maintenance margin and notional of accounts up to date.

        Returns those of `rows` that are below their required margin ratio.
        """
        return account_margin(self.margin_inputs(), rows, self.required, self.out)

    def refresh_asset_prices(self) -> None:
        """Value assets by the last prices of their markets that are up, else exogenously.

        An asset is worth its initial price times the mean growth, since the start, of its
        markets' values. It is valued after the assets that its markets are quoted in. Spot
        markets count where an asset has any, perpetuals and futures otherwise.
        """
        board, markets = self.board, self.scenario.markets
        prices = self.free_price.copy()
        up = board.up[board.venue]
        for asset in board.quotes_first:
            mine = np.flatnonzero(board.base == asset)
            spot = [m for m in mine if markets[m].kind == "spot"]
            group = np.array(spot if spot else mine)
            usable = group[up[group]]
            chosen = usable if len(usable) else group
            growth = board.last[chosen] * prices[board.quote[chosen]] / board.opening_value[chosen]
            prices[asset] = float(board.opening_price[asset] * growth.mean())
        self.asset_price = prices

    def account_id(self, row: int) -> str:
        """Return the id of an account row."""
        k = int(self.cohort[row])
        return self.drafts[k].account_id(row - int(self.draft_offset[k]))

    def trader_id(self, row: int) -> str:
        """Return the id of the trader who owns an account row."""
        k = int(self.cohort[row])
        draft = self.drafts[k]
        return draft.trader_id(int(draft.trader[row - int(self.draft_offset[k])]))

    def fund_value(self, venue: int) -> float:
        """Return what a clearer's insurance fund holds [numeraire]."""
        row = self.ledger.balance[self.plan.first_fund + venue]
        return float(row @ self.asset_price[self.columns])

    def layer(self, venue: int, kind: str) -> object | None:
        """Return a clearer's waterfall layer of a kind, or None."""
        venues = list(self.scenario.venues.values())
        return next((layer for layer in venues[venue].waterfall if layer.kind == kind), None)
