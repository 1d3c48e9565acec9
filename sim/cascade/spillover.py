"""Whose forced selling cost whom how much: matrices over venues, markets, assets and cohorts.

The unit is the loss [numeraire] of broken accounts since they were last healthy, as
``Cascade.losses`` attributes it. Rows are sources, columns targets:

========== ==================================== ==========================================
by         source                               target
========== ==================================== ==========================================
``venue``  clearer of the forced orders         clearer of the broken account
``market`` market that the forced orders moved  market or ``collateral:<ASSET>`` that hurt
``asset``  base asset of that market            base asset, or the asset held as collateral
``cohort`` cohort of the forced orders          cohort of the broken account
========== ==================================== ==========================================

What no forced order caused has a row of its own for each cause (``exogenous``, ``trade:...``,
``funding``, ...), and losses through no market (funding, fees, transfers) the column ``money``. So
a column sums to what its group lost, and the whole to what all broken accounts lost.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import pandas as pd

from sim.cascade.balance import OUTSIDE, Flows, condensed
from sim.cascade.sellers import caused

By = Literal["venue", "market", "asset", "cohort"]
Per = Literal["generation", "minute"]

BY: tuple[str, ...] = get_args(By)
PER: tuple[str, ...] = get_args(Per)

MONEY = "money"
"""Column of losses that came through no market."""

TOTAL = "total"
"""Name of a margin."""

UNKNOWN = "(no order)"
"""Cohort of forced moves without a recorded order."""

_COLUMNS = ["source", "target", "source_kind"]


def asset_of(names: pd.Series, bases: dict[str, str]) -> pd.Series:
    """Return the asset of each market ``venue/symbol`` or ``collateral:<ASSET>``.

    A market that `bases` does not have stands for an asset of its own, by its symbol.
    """
    known = {
        name: bases.get(name, name.split("/", 1)[-1].removeprefix("collateral:"))
        for name in names.unique().tolist()
    }
    return names.map(known)


def spillover_long(
    flows: Flows, by: str, bases: dict[str, str], per: str | None = None
) -> pd.DataFrame:
    """Return the losses by source and target, and by generation or minute if asked for.

    Parameters
    ----------
    flows : Flows
        Forced orders and losses, tied to each other.
    by : {"venue", "market", "asset", "cohort"}
        Groups, as the module says.
    bases : dict of str to str
        Base asset by market; used by ``asset``.
    per : {"generation", "minute"} or None
        Generation of the broken account, or minute since the start in which it broke.

    Returns
    -------
    pandas.DataFrame
        `per` (int64, if asked for), `source`, `target`, `source_kind` (``forced`` or ``cause``),
        `loss` [numeraire, positive when it hurt]; sorted, no row for a loss of 0.

    Raises
    ------
    ValueError
        If `by` or `per` is unknown.
    """
    if by not in BY:
        raise ValueError(f"by is {by!r}; allowed: {', '.join(BY)}")
    if per is not None and per not in PER:
        raise ValueError(f"per is {per!r}; allowed: {', '.join(PER)}, None")
    forced = _grouped(flows.forced, by, bases, per)
    other = _grouped(flows.losses[(flows.losses["wave"] == OUTSIDE).to_numpy()], by, bases, per)
    keys = ["target"] if per is None else [per, "target"]
    if by == "cohort":
        sold = caused(forced, flows.orders, ["cohort"], keys).rename(
            columns={"seller_cohort": "group"}
        )
        sold["group"] = sold["group"].where(sold["group"] != "", UNKNOWN)
    else:
        sold = forced
    parts = [
        sold.assign(source=sold["group"], source_kind="forced"),
        other.assign(source=other["cause"], source_kind="cause"),
    ]
    wanted = [*([] if per is None else [per]), *_COLUMNS, "loss"]
    rows = pd.concat([part[wanted] for part in parts], ignore_index=True)
    total = rows.groupby(wanted[:-1], sort=True, as_index=False)[["loss"]].sum()
    return _told_apart(total[total["loss"] != 0.0].reset_index(drop=True))


def _grouped(losses: pd.DataFrame, by: str, bases: dict[str, str], per: str | None) -> pd.DataFrame:
    """Return losses with `target`, `group` of the source, and the column `per`, summed."""
    if per == "minute":
        minute = np.floor(losses["time"].to_numpy(dtype=np.float64) / 60.0 + 1e-9)
        losses = losses.assign(minute=minute.astype(np.int64))
    victim = {"venue": ["clearer"], "cohort": ["cohort"]}.get(by, ["through"])
    batch = ["source_clearer", "source_tick", "source_generation"]
    batch = [name for name in batch if by == "cohort" and name in losses.columns]
    keys = [*victim, "cause", "source", *batch, *([] if per is None else [per])]
    rows = condensed(losses, keys)
    if by in ("venue", "cohort"):
        target, group = rows[victim[0]], rows["cause"].str.split(":", n=1).str[-1]
    else:
        target, group = rows["through"], rows["source"]
        if by == "asset":
            target, group = asset_of(target, bases), asset_of(group, bases)
        target = target.where(target != "", MONEY)
    return rows.assign(target=target, group=group)


def _told_apart(rows: pd.DataFrame) -> pd.DataFrame:
    """Give causes that are named like a group the name ``cause:<name>``."""
    is_cause = rows["source_kind"] == "cause"
    groups = {*rows.loc[~is_cause, "source"], *rows["target"], TOTAL}
    clash = is_cause & rows["source"].isin(groups)
    return rows.assign(source=rows["source"].where(~clash, "cause:" + rows["source"].astype(str)))


def loss_matrix(long: pd.DataFrame, groups: list[str], margins: bool) -> pd.DataFrame:
    """Return sources by targets from ``spillover_long``.

    Parameters
    ----------
    long : pandas.DataFrame
        As ``spillover_long`` gives it, without `per`.
    groups : list of str
        Groups in their order, each of them a row and a column; others follow, sorted.
    margins : bool
        Whether to add a row and a column `total`.

    Returns
    -------
    pandas.DataFrame
        Index `source`, groups first and causes after them; columns `target`; [numeraire].

    Raises
    ------
    ValueError
        If margins are asked for and a group is called `total`.
    """
    sources = {*long.loc[long["source_kind"] == "forced", "source"]}
    others = sorted((sources | {*long["target"]} - {MONEY}) - {*groups})
    square = [*groups, *others]
    if margins and TOTAL in square:
        raise ValueError(f"a group is called {TOTAL!r}; allowed: margins without such a group")
    causes = sorted(set(long.loc[long["source_kind"] == "cause", "source"]))
    columns = [*square, MONEY] if {*long["target"]} - {*square} else square
    table = long.groupby(["source", "target"])["loss"].sum().unstack(fill_value=0)
    matrix = table.reindex(
        index=pd.Index([*square, *causes], name="source", dtype="str"),
        columns=pd.Index(columns, name="target", dtype="str"),
        fill_value=0.0,
    ).astype(np.float64)
    return _with_margins(matrix) if margins else matrix


def _with_margins(matrix: pd.DataFrame) -> pd.DataFrame:
    matrix = matrix.assign(**{TOTAL: matrix.sum(axis=1)})
    matrix.columns.name = "target"
    matrix.loc[TOTAL] = matrix.sum(axis=0)
    return matrix


def net_spillover(matrix: pd.DataFrame, causes: list[str]) -> pd.DataFrame:
    """Return what each group cost others and what others cost it.

    Parameters
    ----------
    matrix : pandas.DataFrame
        As ``loss_matrix`` gives it, without margins.
    causes : list of str
        Rows that are no groups.

    Returns
    -------
    pandas.DataFrame
        Index the groups; [numeraire] `own` (its forced selling to itself), `inflow` (other
        groups' to it), `outflow` (its to other groups), `net` = outflow - inflow, `causes` (what
        no forced order caused) and `lost` = own + inflow + causes. `net` sums to 0 over groups.
    """
    groups = [name for name in matrix.columns if name in matrix.index]
    square = matrix.loc[groups, groups].to_numpy(dtype=np.float64)
    own = np.diagonal(square)
    outside = matrix.loc[causes, groups].to_numpy(dtype=np.float64).sum(axis=0)
    inflow, outflow = square.sum(axis=0) - own, square.sum(axis=1) - own
    return pd.DataFrame(
        {"own": own, "inflow": inflow, "outflow": outflow, "net": outflow - inflow,
         "causes": outside, "lost": own + inflow + outside},
        index=pd.Index(groups, name="group", dtype="str"),
    )  # fmt: skip


def move_matrix(
    moves: pd.DataFrame, by: str, venues: list[str], markets: list[str]
) -> pd.DataFrame:
    """Return the log moves [1] of the liquidations of each venue on venues or markets."""
    target = moves["market"] if by == "market" else moves["market"].str.split("/", n=1).str[0]
    table = moves.assign(target=target).groupby(["clearer", "target"])["price_move"].sum()
    matrix = table.unstack(fill_value=0).reindex(
        index=pd.Index(venues, name="source"),
        columns=pd.Index(markets if by == "market" else venues, name="target"),
        fill_value=0.0,
    )
    return matrix.astype(np.float64)
