"""The forced orders behind the losses that forced orders caused.

A loss that ``Cascade.losses`` books to ``liquidation:<clearer>``, a market (`source`) and a
generation came from a batch of forced orders of that clearer. Its move is split over the orders
of the batch (``sim.cascade.attribution``), and the loss is split in the same proportion:

    loss of victim v by order i = share_i * loss of v by the batch of i,    sum_i share_i = 1.

Sums over victims and orders are taken before they are joined, so that nothing of the size of
victims times orders is ever made.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from sim.cascade.attribution import cross_impacts, forced_orders
from sim.cascade.tables import LIQUIDATION_CAUSE
from sim.core.arrays import BoolArray

BATCH = ["clearer", "market", "tick", "generation"]
_SOURCE = ["source_clearer", "source", "source_tick", "source_generation"]


class ForcedFlow(NamedTuple):
    """What moved markets by force.

    Attributes
    ----------
    orders : pandas.DataFrame
        A row per order and market it moved: `clearer, market, tick, generation, account_id,
        cohort, price_move` [1, log price], `share` [1] of its batch's move, `relation`
        (``forced_order`` or ``cross_impact``), and for forced orders `quantity` [contracts,
        signed] and `notional` [quote].
    rest : pandas.DataFrame
        Moves of clearers without any recorded order: `clearer, market, tick, generation,
        price_move`.
    """

    orders: pd.DataFrame
    rest: pd.DataFrame


def forced_flow(liquidations: pd.DataFrame, price_causes: pd.DataFrame) -> ForcedFlow:
    """Return the forced orders with what each of them moved."""
    direct = forced_orders(liquidations, price_causes)
    crossed, rest = cross_impacts(direct, price_causes)
    orders = pd.concat(
        [direct.assign(relation="forced_order"), crossed.assign(relation="cross_impact")],
        ignore_index=True,
    )
    return ForcedFlow(orders, rest)


def forced_rows(cause: pd.Series) -> BoolArray:
    """Return which causes, given as categories, are forced orders."""
    is_forced = cause.cat.categories.str.startswith(LIQUIDATION_CAUSE)
    return np.asarray(is_forced, dtype=np.bool_)[cause.cat.codes.to_numpy(dtype=np.int64)]


def forced_losses(losses: pd.DataFrame) -> pd.DataFrame:
    """Return the forced rows of `losses` with `source_clearer`, whose orders caused them.

    Columns of text are categories. With `source`, `source_tick` and `source_generation`
    `source_clearer` names the batch.
    """
    forced = losses[forced_rows(losses["cause"])]
    cause = forced["cause"].cat.remove_unused_categories()
    names = cause.cat.categories.str[len(LIQUIDATION_CAUSE) :]
    return forced.assign(source_clearer=cause.cat.rename_categories(list(names)))


def caused(
    forced: pd.DataFrame,
    orders: pd.DataFrame,
    seller: list[str],
    victim: list[str],
    value: str = "loss",
) -> pd.DataFrame:
    """Return what sellers cost victims, summed by columns of both.

    Parameters
    ----------
    forced : pandas.DataFrame
        As ``forced_losses`` gives it.
    orders : pandas.DataFrame
        As ``forced_flow`` gives it.
    seller : list of str
        Columns of `orders` to sum by, those of the batch or of text; in the result they begin
        with ``seller_``.
    victim : list of str
        Columns of `forced` to sum by.
    value : str
        Column of `forced` that is split.

    Returns
    -------
    pandas.DataFrame
        One row per combination with a value, `seller_...`, `victim` columns, `value`. What no
        recorded order explains has ``""`` in all columns of the seller but those of the batch.
        The column sums to that of `forced`.
    """
    origin = dict(zip(BATCH, _SOURCE, strict=True))
    batches = forced.groupby([*_SOURCE, *victim], sort=True, as_index=False)[[value]].sum()
    texts = [n for n in batches.columns if isinstance(batches[n].dtype, pd.CategoricalDtype)]
    batches = batches.astype(dict.fromkeys(texts, "str"))
    own = [name for name in seller if name not in origin]
    renamed = {**origin, **{name: f"seller_{name}" for name in own}}
    moving = orders.loc[orders["share"] != 0.0, [*BATCH, *own, "share"]].rename(columns=renamed)
    keys = [*_SOURCE, *(f"seller_{name}" for name in own)]
    shares = moving.groupby(keys, sort=True, as_index=False)[["share"]].sum()
    joined = batches.merge(shares, on=_SOURCE, how="left")
    joined[value] *= joined["share"].fillna(1.0)
    for name in own:
        joined[f"seller_{name}"] = joined[f"seller_{name}"].fillna("")
    for name in set(seller) & set(origin):
        joined[f"seller_{name}"] = joined[origin[name]]
    keys = [*(f"seller_{name}" for name in seller), *victim]
    total = joined.groupby(keys, sort=True, as_index=False)[[value]].sum()
    return total[total[value] != 0.0].reset_index(drop=True)
