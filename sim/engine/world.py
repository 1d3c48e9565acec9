"""The state of a run: ledger, markets, accounts and what the phases remember between ticks."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, Int16Array, Int32Array, IntArray, sums
from sim.core.clock import TickClock
from sim.core.streams import Streams
from sim.engine.auction import Auction
from sim.engine.waterfall import Waterfalls, fund_rows, row_value
from sim.kernels.collateral import LocalPrices, weigh_numpy
from sim.kernels.margin import MarginInputs, MarginOutputs, account_margin
from sim.kernels.size import NO_SIZES
from sim.ledger import Ledger, RowPlan
from sim.models.margin import MarginTables

if TYPE_CHECKING:
    from sim.engine.board import MarketBoard
    from sim.engine.breaks import Breaks
    from sim.engine.events import EventLog
    from sim.engine.keepers import KeeperDesk
    from sim.engine.mechanism import Mechanism
    from sim.engine.roster import Roster
    from sim.engine.storefront import Storefront
    from sim.engine.watch import Watch
    from sim.models.shock import Exogenous
    from sim.schema import Liquidation, Scenario

NOT_LABELLED = -1
"""Generation label of an account that is not liquidatable."""

PAID = {"insurance_fund": "fund_used", "socialise": "socialised", "clearer": "house_loss"}
"""Flows of what a layer paid, where they do not have the layer's name."""


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
    """What happened per clearer (V,) since the last recorded tick [numeraire].

    `adl_cost` is what the reduced gave up against the mark; from `own_contribution` on, what
    layers of those names paid.
    """

    liquidated: FloatArray
    backstop: FloatArray
    adl: FloatArray
    shortfall: FloatArray
    fund_used: FloatArray
    socialised: FloatArray
    house_loss: FloatArray
    fees: FloatArray
    adl_cost: FloatArray
    own_contribution: FloatArray
    skin_in_the_game: FloatArray
    default_fund: FloatArray
    assessments: FloatArray
    gains_haircut: FloatArray
    tear_up: FloatArray

    @classmethod
    def zero(cls, venues: int) -> Flows:
        """Return flows of nothing for V clearers."""
        return cls(*(np.zeros(venues) for _ in cls.__dataclass_fields__))

    def add(self, other: Flows) -> None:
        """Add another period's flows to this one."""
        for name in self.__dataclass_fields__:
            getattr(self, name).__iadd__(getattr(other, name))

    def paid_by(self, kind: str) -> FloatArray:
        """Return what layers of a kind paid of shortfalls (V,)."""
        paid: FloatArray = getattr(self, PAID.get(kind, kind))
        return paid

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
        Margin ratio below which the account is liquidated: its clearer's (`least_ratio`), more
        while a slice-wise liquidation runs or after a margin call ran out.
    deadline : (A,) int32
        Tick at which a margin call runs out, or -1.
    label : (A,) int32
        Generation of a liquidatable account, or `NOT_LABELLED`.
    step : (A,) int32
        Batches sold in the present liquidation episode.
    kept : (A,) float64 [1]
        Share of what it held at the start of its present liquidation episode that an account
        still holds, where its clearer's rule asks for it.
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
    local : LocalPrices
        What clearers count collateral at that they do not value over all venues.
    keep : (V, K) float64 [1]
        What a clearer's haircut leaves of each balance asset.
    watch : Watch, optional
        Knows which accounts could have crossed a level; None before the run begins.
    streams : Streams
        Random streams of this run.
    drawing : dict
        Streams in use, by name.
    filled_at : dict
        Tick of the last forced fill of an account, where its clearer asks for it.
    held_up : (N,) int64
        Accounts that are still liquidatable after the last cascade.
    mechanisms : list of Mechanism
        What venues do by the clock beside margining, in the order in which they act.
    keepers : KeeperDesk, optional
        Who liquidates loans; None where no venue has keepers do it.
    storefronts : list of Storefront
        Protocols that take unhealthy accounts over.
    waterfall : Waterfalls
        What the waterfalls remember.
    breaks : Breaks, optional
        What is kept of accounts that broke; None where it is not recorded.
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
    local: LocalPrices
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
    streams: Streams
    transit: list[TopUpInTransit] = field(default_factory=list)
    in_flight: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    deficits: dict[int, dict[int, float]] = field(default_factory=lambda: defaultdict(dict))
    market_slots: dict[tuple[int, int], IntArray | Int32Array] = field(default_factory=dict)
    tick: int = 0
    checked: bool = False
    watch: Watch | None = None
    drawing: dict[str, np.random.Generator] = field(default_factory=dict)
    filled_at: dict[int, int] = field(default_factory=dict)
    held_up: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    mechanisms: list[Mechanism] = field(default_factory=list)
    keepers: KeeperDesk | None = None
    waterfall: Waterfalls = field(default_factory=Waterfalls)
    storefronts: list[Storefront] = field(default_factory=list)
    breaks: Breaks | None = None
    auction: Auction = field(init=False)
    kept: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        self.kept = np.ones(self.accounts)
        self.auction = Auction(len(self.board.ids))
        self.keep = 1.0 - self.haircut
        self._local_prices = self.local.exist
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
            self.tables.size_rate if self.tables.by_size else NO_SIZES,
            self.tables.size_root if self.tables.by_size else NO_SIZES,
            self.local.own_price,
        )
        self.value_own_books()

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
        if self._local_prices:
            weigh_numpy(self.local, self.keep, inputs.weight_positive)
        inputs.quote_price[:] = self.quote_price
        return inputs if prices is None else inputs._replace(mark_price=prices)

    @property
    def weight(self) -> FloatArray:
        """What one unit of each balance asset counts at each clearer (V, K) [numeraire].

        Of an asset that is held; good until prices change.
        """
        return self.margin_inputs().weight_positive

    def value_own_books(self) -> None:
        """Take the last prices at which clearers count collateral by their own books.

        It goes with every valuation of assets, so that both are of one moment.
        """
        local, board = self.local, self.board
        if len(local.own_price):
            market = local.own_market
            worth = board.last[market] * self.asset_price[board.quote[market]]
            local.own_price[:] = worth * local.own_scale

    def least_ratio(self, rows: IntArray) -> FloatArray:
        """Return the margin ratio (N,) below which their clearers liquidate accounts."""
        return np.asarray(self.tables.liquidation_ratio[self.clearer[rows]])

    def open_interest(self) -> FloatArray:
        """Return one side of all positions in each market (M,) [quote] at the marks."""
        ledger, board = self.ledger, self.board
        if ledger.totals is not None:
            held = ledger.totals.long
        else:
            bought = np.maximum(ledger.quantity, 0.0)
            held = sums(ledger.market, bought, len(board.ids))
        return np.asarray(held * board.multiplier * board.mark)

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
        """Return what a clearer's insurance fund holds, or its funds together [numeraire]."""
        return sum(row_value(self, row) for row in fund_rows(self, venue))

    def layer(self, venue: int, kind: str) -> object | None:
        """Return a clearer's waterfall layer of a kind, or None."""
        venues = list(self.scenario.venues.values())
        return next((layer for layer in venues[venue].waterfall if layer.kind == kind), None)
