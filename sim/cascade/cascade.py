"""Metrics of contagion over the recorded tables of one run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import networkx as nx
import numpy as np
import pandas as pd

from sim.cascade.attribution import forced_moves
from sim.cascade.graph import build_graph
from sim.cascade.losses import losses, seller_losses
from sim.cascade.tables import (
    BROKEN_KINDS,
    CAUSE_COLUMNS,
    EXOGENOUS_CAUSE,
    LIQUIDATION_COLUMNS,
    MARKET_KIND,
    PRICE_COLUMNS,
    VENUE_COLUMNS,
    checked,
    in_order,
    with_market,
)

Level = Literal["auto", "accounts", "cohorts"]

_NO_MOVE = 1e-12  # [1, log price] the tolerance to which the causes of a market sum to its move


@dataclass(frozen=True, eq=False)
class Cascade:
    """Who broke whom, through which market, and how much of a fall the cascade made.

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

    def graph(self, level: Level = "auto", max_nodes: int = 5000) -> nx.MultiDiGraph[str]:
        """Return the causal graph account -> market -> account, generation by generation.

        Parameters
        ----------
        level : {"auto", "accounts", "cohorts"}
            What trades: accounts, or their cohorts. ``auto`` takes accounts as long as no more
            than `max_nodes` of them were broken.
        max_nodes : int
            Number of account nodes above which ``auto`` aggregates, >= 0.

        Returns
        -------
        networkx.MultiDiGraph
            Nodes with `kind` ``account`` or ``cohort``, ``market`` and ``venue``; edges with
            `relation`, listed in ``sim.cascade.graph``. The `price_move` of the edges into a
            market (``forced_order``, ``cross_impact`` and, where the tables hold no order at
            all, ``unattributed``) sums to the move `price_causes` books to liquidations.

        Raises
        ------
        ValueError
            If `level` is unknown or `max_nodes` negative.

        Notes
        -----
        ``sim.cascade.attribution`` states how a move is split over orders and which moves
        count as having broken an account. ADL and socialised losses hit accounts that were not
        broken and are no part of the graph.
        """
        if level not in ("auto", "accounts", "cohorts"):
            raise ValueError(f"level is {level!r}; allowed: auto, accounts, cohorts")
        if max_nodes < 0:
            raise ValueError(f"max_nodes is {max_nodes}; it must be >= 0")
        broken = self.liquidations[self.liquidations["kind"].isin(BROKEN_KINDS)]
        many = broken["account_id"].nunique() > max_nodes
        owner = "cohort" if level == "cohorts" or (level == "auto" and many) else "account"
        return build_graph(
            self.liquidations, self.price_causes, self.market_names, self.venue_names, owner
        )

    def generations(self) -> pd.DataFrame:
        """Return the size of each generation of forced orders.

        Returns
        -------
        pandas.DataFrame
            A row per generation from 0 to the last: `generation`; `accounts`, the distinct
            accounts broken in it (closed on the market, by a backstop or in an auction);
            `liquidated_notional` [quote], closed on the market only; `price_move` [1, log
            price, signed], all moves booked to liquidations in it, summed over markets; and
            `markets`, the number of markets moved. A generation that recurs in several ticks
            is one row. Without forced orders the frame has no rows.
        """
        broken = self.liquidations[self.liquidations["kind"].isin(BROKEN_KINDS)]
        orders = broken[broken["kind"] == MARKET_KIND]
        moves = forced_moves(self.price_causes)
        moved = moves[moves["price_move"] != 0.0]
        last = max((int(f["generation"].max()) for f in (broken, moved) if len(f)), default=-1)
        index = pd.RangeIndex(last + 1, name="generation")
        columns = {
            "accounts": broken.groupby("generation")["account_id"].nunique(),
            "liquidated_notional": orders.groupby("generation")["notional"].sum(),
            "price_move": moved.groupby("generation")["price_move"].sum(),
            "markets": moved.groupby("generation")["market"].nunique(),
        }
        table = pd.DataFrame({k: v.reindex(index, fill_value=0) for k, v in columns.items()})
        kinds = dict.fromkeys(("accounts", "markets"), "int64")
        kinds |= dict.fromkeys(("liquidated_notional", "price_move"), "float64")
        return table.astype(kinds).reset_index()

    @property
    def branching_ratio(self) -> float:
        r"""Share of the forced market notional that earlier generations brought about [1].

        Notes
        -----
        The ratio estimator of children over parents,

        .. math:: n = \sum_{g \ge 1} N_g \Big/ \sum_{g \ge 0} N_g ,

        with :math:`N_g` [quote] the notional that generation :math:`g` liquidated to the
        market. It lies in [0, 1], and the total is :math:`N_0 / (1 - n)`. It is 0 where nothing was
        liquidated.

        References
        ----------
        Filimonov and Sornette (2012), "Quantifying reflexivity in financial markets",
        Physical Review E 85, 056108: the branching ratio as the share of endogenous events.
        """
        sold = self.liquidations["notional"].to_numpy(dtype=np.float64)
        market = (self.liquidations["kind"] == MARKET_KIND).to_numpy(dtype=np.bool_)
        later = market & (self.liquidations["generation"].to_numpy(dtype=np.int64) >= 1)
        total = float(sold[market].sum())
        return float(sold[later].sum()) / total if total > 0.0 else 0.0

    def price_moves_by_cause(self, market: str | None = None) -> pd.DataFrame:
        """Return the moves summed over the run by cause and market.

        Parameters
        ----------
        market : str or None
            One market ``venue/symbol``; None for all.

        Returns
        -------
        pandas.DataFrame
            Index `cause` (sorted), columns `market` [1, log price, signed]; 0 where a cause
            never moved a market. A column sums to the whole move of its market.

        Raises
        ------
        KeyError
            If the tables have no such market.
        """
        names = self.market_names
        if market is not None:
            if market not in names:
                raise KeyError(f"no market {market!r}; known: {', '.join(names)}")
            names = [market]
        causes = with_market(self.price_causes)
        causes = causes[causes["market"].isin(names)]
        table = causes.groupby(["cause", "market"])["price_move"].sum().unstack(fill_value=0)
        table = table.reindex(columns=pd.Index(names, name="market"), fill_value=0.0)
        return table.astype(np.float64)

    def amplification(self) -> pd.Series:
        """Return the whole move over the exogenous move by market.

        Returns
        -------
        pandas.Series
            Index `market`; [1], ``sum of all causes / sum of exogenous`` in log price at the end
            of the run. NaN where the exogenous move is 0 (within 1e-12).
        """
        moves = self.price_moves_by_cause()
        exogenous = moves.loc[moves.index == EXOGENOUS_CAUSE].sum()
        ratio = moves.sum() / exogenous.where(exogenous.abs() > _NO_MOVE)
        return ratio.rename("amplification")

    def spillover(self, by: Literal["venue", "market"] = "venue") -> pd.DataFrame:
        """Return how far the liquidations of each venue moved the markets of each other.

        Parameters
        ----------
        by : {"venue", "market"}
            Columns: the venues whose markets moved, or the markets themselves.

        Returns
        -------
        pandas.DataFrame
            Index `source`, the venue whose liquidations moved the price (cause
            ``liquidation:<venue>``); columns `target`. A value is the signed log move [1]
            summed over the run and, by venue, over the markets of that venue, each market
            counting once and no weight given to its size. 0 where there was none.

        Raises
        ------
        ValueError
            If `by` is unknown.
        """
        if by not in ("venue", "market"):
            raise ValueError(f"by is {by!r}; allowed: venue, market")
        moves = forced_moves(self.price_causes)
        target = moves["market"] if by == "market" else moves["market"].str.split("/", n=1).str[0]
        table = moves.assign(target=target).groupby(["clearer", "target"])["price_move"].sum()
        names = self.market_names if by == "market" else self.venue_names
        matrix = table.unstack(fill_value=0).reindex(
            index=pd.Index(self.venue_names, name="source"),
            columns=pd.Index(names, name="target"),
            fill_value=0.0,
        )
        return matrix.astype(np.float64)

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
        return losses(self.breaks, self.break_exposures, self.break_flows, self.value_moves)

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
