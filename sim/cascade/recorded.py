"""The tables that a cascade is computed from."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Self

import pandas as pd

from sim.cascade.attribution import forced_moves
from sim.cascade.balance import Flows, condensed, tied
from sim.cascade.loading import read_run
from sim.cascade.losses import coded_losses, decoded, seller_losses
from sim.cascade.moves import tick_seconds
from sim.cascade.sellers import ForcedFlow, forced_flow
from sim.cascade.tables import (
    BREAK_COLUMNS,
    CAUSE_COLUMNS,
    LIQUIDATION_COLUMNS,
    LOSS_COLUMNS,
    PRICE_COLUMNS,
    VENUE_COLUMNS,
    checked,
    in_order,
    with_market,
)
from sim.cascade.windows import Window, window_of


@dataclass(frozen=True, eq=False)
class RecordedCascade:
    """The recorded tables behind a cascade, and the losses tied to the orders behind them.

    Parameters
    ----------
    liquidations : pandas.DataFrame
        A row per closed position: `tick, generation, kind, clearer, venue, symbol, account_id,
        trader_id, cohort, quantity` [contracts, signed change of the position], `notional`
        [quote].
    price_causes : pandas.DataFrame
        A row per booked move: `tick, generation, venue, symbol, cause, price_move` [1, log
        price, negative for a fall].
    prices : pandas.DataFrame
        Recorded prices: `tick, venue, symbol, last_price` [quote/base]; names the markets.
    venues : pandas.DataFrame
        Recorded venues: `tick, venue`; names the venues.
    breaks, break_exposures, break_flows, value_moves : pandas.DataFrame
        What each broken account held and what moved it; without rows where it was not recorded.
    bases : dict of str to str
        Base asset by market ``venue/symbol``; a market without one counts as an asset of its own,
        by its symbol.

    Raises
    ------
    ValueError
        If a table that has rows lacks a column. A table without rows may lack them all.
    """

    liquidations: pd.DataFrame
    price_causes: pd.DataFrame
    prices: pd.DataFrame
    venues: pd.DataFrame
    breaks: pd.DataFrame = field(default_factory=pd.DataFrame)
    break_exposures: pd.DataFrame = field(default_factory=pd.DataFrame)
    break_flows: pd.DataFrame = field(default_factory=pd.DataFrame)
    value_moves: pd.DataFrame = field(default_factory=pd.DataFrame)
    bases: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, run_dir: str | Path) -> Self:
        """Read the cascade of a finished run from its folder.

        Parameters
        ----------
        run_dir : str or Path
            Folder that ``liqsim run`` or ``Result.save`` wrote. One of an older version has no
            record of losses; what needs them is empty then or says so.

        Raises
        ------
        ScenarioError
            If this is no run folder, or a file in it is missing or cannot be read.
        """
        run = read_run(run_dir)
        return cls(**run.tables, bases=run.bases)

    def __post_init__(self) -> None:
        for name, columns in (
            ("liquidations", LIQUIDATION_COLUMNS),
            ("price_causes", CAUSE_COLUMNS),
            ("prices", PRICE_COLUMNS),
            ("venues", VENUE_COLUMNS),
        ):
            object.__setattr__(self, name, checked(getattr(self, name), columns, name))
        # A shortfall without a forced trade has an event, but moved no market and nobody.
        traded = self.liquidations["symbol"] != ""
        if not traded.all():
            object.__setattr__(self, "liquidations", self.liquidations[traded])

    @property
    def market_names(self) -> list[str]:
        """Every market ``venue/symbol`` of the tables, in order of first appearance."""
        frames = (self.prices, self.price_causes, self.liquidations)
        listed = [f.drop_duplicates(["venue", "symbol"]) for f in frames]
        return in_order(*(with_market(frame)["market"] for frame in listed))

    @property
    def venue_names(self) -> list[str]:
        """Every venue of the tables, in order of first appearance, then other clearers."""
        causes = pd.Series(forced_moves(self.price_causes)["clearer"])
        frames = (self.venues, self.prices, self.price_causes, self.liquidations)
        return in_order(*(frame["venue"] for frame in frames), causes)

    @cached_property
    def tick_seconds(self) -> float:
        """Length of a tick [s], from the times of the tables; 1 where they have none."""
        return tick_seconds(self.prices, self.venues, self.liquidations)

    @property
    def has_losses(self) -> bool:
        """Whether the run recorded what each broken account lost."""
        return not self.breaks.empty

    def losses(self) -> pd.DataFrame:
        """Return what each broken account lost since it was last healthy, by cause.

        Returns
        -------
        pandas.DataFrame
            A row per break, held market or collateral and source of the move: `break_id, tick,
            time, generation, clearer, account_id, trader_id, cohort` of the break; `through`, the
            market ``venue/symbol`` of the position, ``collateral:<ASSET>`` or empty for money;
            `cause`, as in `price_causes` or ``funding``, ``fees``, ``transfer``, ``own_trade``,
            ``socialised``, ``adl``, ``mark``; `source`, the market whose price the cause moved;
            `source_generation` and `source_tick` of the forced orders, -1 if not forced; `loss`
            [numeraire], positive where it hurt. Rows of a break sum to its loss.

        Notes
        -----
        ``sim.cascade.losses`` states the formula.
        """
        return decoded(self._coded_losses)

    def losses_by(self, *columns: str, window: tuple[float, float] | None = None) -> pd.DataFrame:
        """Return the losses summed by some of their columns.

        Large runs have a hundred rows of losses for each break; this makes no text of them.

        Parameters
        ----------
        *columns : str
            One or more columns of ``losses`` but `loss`.
        window : tuple of float or None
            Only accounts that broke in ``[start, end)`` [s].

        Returns
        -------
        pandas.DataFrame
            `columns`, sorted, and `loss` [numeraire].

        Raises
        ------
        ValueError
            If a column is unknown, or none is given.
        """
        known = [name for name in LOSS_COLUMNS if name != "loss"]
        unknown = [name for name in columns if name not in known]
        if unknown or not columns:
            found = ", ".join(map(repr, unknown)) or "none"
            raise ValueError(f"columns are {found}; allowed: {', '.join(known)}")
        ticks = window_of(window, self.tick_seconds)
        return condensed(ticks.of(self._coded_losses), list(dict.fromkeys(columns)))

    def seller_losses(self) -> pd.DataFrame:
        """Return the forced part of `losses`, split over the accounts whose orders moved prices.

        Returns
        -------
        pandas.DataFrame
            The forced rows of `losses`, with `seller_account`, `seller_cohort`,
            `seller_generation` and `seller_clearer`; each batch of forced orders is split by
            the share of each order in the side of its net flow. One row per break, source and
            seller: large where many broke many.
        """
        return seller_losses(self.losses(), self.liquidations, self.price_causes)

    @cached_property
    def _coded_losses(self) -> pd.DataFrame:
        """The losses, with text as categories."""
        tables = (self.breaks, self.break_exposures, self.break_flows, self.value_moves)
        return coded_losses(*tables)

    @cached_property
    def _forced(self) -> ForcedFlow:
        return forced_flow(self.liquidations, self.price_causes)

    @cached_property
    def _last_flows(self) -> dict[Window, Flows]:
        return {}

    def _flows(self, window: tuple[float, float] | None = None) -> Flows:
        """Return forced orders tied to the losses of those that broke in the window."""
        ticks = window_of(window, self.tick_seconds)
        if ticks not in self._last_flows:
            self._last_flows.clear()
            self._last_flows[ticks] = tied(self._forced, ticks.of(self._coded_losses))
        return self._last_flows[ticks]

    def _breaks(self, ticks: Window) -> pd.DataFrame:
        """Return the breaks in a window, typed also where none were recorded."""
        return ticks.of(checked(self.breaks, BREAK_COLUMNS, "breaks"))
