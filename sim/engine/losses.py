"""Losses of closed accounts on their way down the waterfall.

An account that holds no position any more and owes money first sells its other collateral to
the desk, at what its clearer counts it at. What it then still owes is its shortfall: the
insurance fund of its clearer pays what it can, largest shortfalls first; the rest waits for the
waterfall phase if the clearer socialises losses, and is the clearer's own loss otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sim.core.arrays import FloatArray, IntArray, sums
from sim.models.waterfall import cover_in_order, socialise_weights, water_fill
from sim.models.waterfall.insurance_fund import largest_first

if TYPE_CHECKING:
    from sim.engine.world import World

DUST = 1e-12
"""Debt below this share of an account's gross flows is rounding, and the clearer's."""


class Borne(NamedTuple):
    """Shortfalls that the fund or the clearer itself has borne.

    Attributes
    ----------
    rows : (N,) int64
        Accounts.
    loss : (N,) float64 [numeraire]
    """

    rows: IntArray
    loss: FloatArray


NOBODY = Borne(np.empty(0, dtype=np.int64), np.empty(0))


def settle_closed(world: World, rows: IntArray, by_force: bool = True) -> Borne:
    """Settle the debts of those of `rows` (N,) that hold no position any more; see `settle`."""
    ledger = world.ledger
    slots, owner = ledger.slots(rows)
    holding = sums(owner, ledger.quantity[slots] != 0.0, len(rows)) > 0.0
    return settle(world, rows[~holding], by_force)


def settle(world: World, done: IntArray, by_force: bool = True) -> Borne:
    """Settle the debts of accounts that hold no position any more.

    Parameters
    ----------
    world : World
    done : (N,) int64
    by_force : bool
        Whether forced orders closed them; else only those without equity owe anything.

    Returns
    -------
    Borne
        What the fund or the clearer itself has borne; a shortfall that will be socialised is
        recorded when it is.
    """
    if not len(done):
        return NOBODY
    balance = world.ledger.balance
    if by_force:
        world.closed[done] = True
    else:
        world.revalue(done)
        done = done[world.out.equity[done] < 0.0]
    debtors = done[(balance[done] < 0.0).any(axis=1)]
    if not len(debtors):
        return NOBODY
    if len(world.columns) > 1:
        _sell_collateral(world, debtors)
    owed = _debt(world, debtors)
    return _walk_down(world, debtors[owed > 0.0], owed[owed > 0.0])


def _debt(world: World, rows: IntArray) -> FloatArray:
    """Return what each account owes (N,) [numeraire]."""
    price = world.asset_price[world.columns]
    return np.asarray((np.maximum(-world.ledger.balance[rows], 0.0) * price).sum(axis=1))


def _sell_collateral(world: World, rows: IntArray) -> None:
    """Turn held assets into the owed ones at the desk, each at what the clearer counts it at."""
    ledger, desk = world.ledger, world.plan.desk
    price = world.asset_price[world.columns]
    weight = world.weight[world.clearer[rows].astype(np.int64)]
    for owed in range(len(world.columns)):
        for held in range(len(world.columns)):
            debt = np.maximum(-ledger.balance[rows, owed], 0.0)
            units = np.maximum(ledger.balance[rows, held], 0.0)
            unit_value = weight[:, held]
            value = np.minimum(units * unit_value, debt * price[owed])
            active = value > 0.0
            if held == owed or not active.any():
                continue
            sold = np.minimum(value[active] / unit_value[active], units[active])
            bought = np.minimum(value[active] / price[owed], debt[active])
            ledger.transfer(rows[active], desk, held, sold, "collateral sale")
            ledger.transfer(desk, rows[active], owed, bought, "collateral sale")


def _clear_debt(world: World, rows: IntArray, payer: int, share: FloatArray, reason: str) -> None:
    """Let a fund or clearer pay the given share (N,) of every debt of `rows`.

    It pays in its settlement asset; the desk turns that into what is owed.
    """
    if not len(rows):
        return
    ledger, desk = world.ledger, world.plan.desk
    own = int(world.settlement[world.clearer[rows[0]]])
    price = world.asset_price[world.columns]
    for column in range(len(world.columns)):
        paid = np.maximum(-ledger.balance[rows, column], 0.0) * share
        if column == own:
            ledger.transfer(payer, rows, column, paid, reason)
        elif paid.any():
            ledger.transfer(
                payer, desk, own, float(paid.sum() * price[column] / price[own]), reason
            )
            ledger.transfer(desk, rows, column, paid, reason)


def _pool_fund(world: World, venue: int) -> None:
    """Turn what a fund holds in other assets (fees) into its settlement asset at the desk."""
    ledger, desk, fund = world.ledger, world.plan.desk, world.plan.first_fund + venue
    own = int(world.settlement[venue])
    price = world.asset_price[world.columns]
    for column in range(len(world.columns)):
        held = float(ledger.balance[fund, column])
        if column != own and held > 0.0:
            ledger.transfer(fund, desk, column, held, "fund conversion")
            bought = held * float(price[column] / price[own])
            ledger.transfer(desk, fund, own, bought, "fund conversion")


def _walk_down(world: World, rows: IntArray, owed: FloatArray) -> Borne:
    borne: list[Borne] = []
    clearer = world.clearer[rows].astype(np.int64)
    for v in np.unique(clearer).tolist():
        mine = np.flatnonzero(clearer == v)
        mine = mine[largest_first(owed[mine])]
        debt, debtors = owed[mine], rows[mine]
        scale = DUST * world.out.notional[debtors]
        dust = debt <= scale
        paid = np.zeros(len(debt))
        if world.layer(v, "insurance_fund") is not None:
            paid = cover_in_order(np.where(dust, 0.0, debt), world.fund_value(v))
            _pool_fund(world, v)
            fund = world.plan.first_fund + v
            _clear_debt(world, debtors, fund, paid / debt, "insurance fund")
            world.flows.fund_used[v] += paid.sum()
        left = debt - paid
        waiting = (left > scale) & (world.layer(v, "socialise") is not None)
        own = np.where(waiting | dust, 0.0, left)
        last = ~waiting & (left > 0.0)
        if last.any():
            house = world.plan.first_house + v
            _clear_debt(world, debtors[last], house, np.ones(int(last.sum())), "clearer's own loss")
            world.flows.house_loss[v] += own.sum()
        world.flows.shortfall[v] += np.where(dust, 0.0, debt).sum()
        for row, amount in zip(debtors[waiting].tolist(), left[waiting].tolist(), strict=True):
            world.deficits[v][row] = amount
        world.loss_generation[debtors] = np.maximum(world.label[debtors], 0)
        borne.append(Borne(debtors, np.where(dust, 0.0, paid + own)))
    if not borne:
        return NOBODY
    return Borne(*(np.concatenate(part) for part in zip(*borne, strict=True)))


def record_losses(world: World, borne: Borne, kind: str, generation: int) -> None:
    """Record shortfalls with the last forced trade of their accounts in this tick.

    A shortfall without one, as a voluntary close or a socialised loss leaves it, gets an event
    of its own, without market and quantity.

    Parameters
    ----------
    world : World
    borne : Borne
        As `settle` returns it.
    kind : str
        Kind of the event.
    generation : int
    """
    if kind != "socialise":
        borne = Borne(*world.events.assign_shortfall(world.tick, *borne))
    lost = borne.loss > 0.0
    rows = borne.rows[lost]
    size = len(rows)
    if not size:
        return
    nothing = np.zeros(size)
    world.events.add(
        world.tick,
        kind,
        generation=np.full(size, generation),
        clearer=world.clearer[rows].astype(np.int64),
        market=np.full(size, -1),
        row=rows,
        quantity=nothing,
        mark_price=nothing,
        close_out_price=nothing,
        bankruptcy_price=nothing,
        notional=nothing,
        fee=nothing,
        shortfall=borne.loss[lost],
    )


def socialise(world: World) -> bool:
    """Spread the losses that wait over the survivors of their clearers.

    Returns
    -------
    bool
        Whether anybody paid, so that accounts must be looked at again.
    """
    if not world.deficits:
        return False
    for v in sorted(world.deficits):
        _socialise_one(world, v, world.deficits[v])
    world.deficits.clear()
    return True


def _socialise_one(world: World, venue: int, deficits: dict[int, float]) -> None:
    layer = world.layer(venue, "socialise")
    debtors = np.array(sorted(deficits), dtype=np.int64)
    owed = np.array([deficits[int(row)] for row in debtors])
    rows = np.flatnonzero(world.clearer[: world.accounts] == venue)
    rows = rows[~np.isin(rows, debtors)]
    world.revalue(rows)
    equity = world.out.equity[rows]
    weight = socialise_weights(
        layer.basis,  # type: ignore[attr-defined]
        equity,
        _unrealised_profit(world, rows),
        world.out.notional[rows],
    )
    paid = water_fill(float(owed.sum()), weight, np.maximum(equity, 0.0))
    column, house = int(world.settlement[venue]), world.plan.first_house + venue
    price = float(world.asset_price[world.columns[column]])
    world.ledger.transfer(rows, house, column, paid / price, "socialised loss")
    _clear_debt(world, debtors, house, np.ones(len(debtors)), "socialised loss")
    covered = float(paid.sum())
    world.flows.socialised[venue] += covered
    world.flows.house_loss[venue] += max(float(owed.sum()) - covered, 0.0)
    for generation in np.unique(world.loss_generation[debtors]):
        mine = world.loss_generation[debtors] == generation
        lost = Borne(debtors[mine], owed[mine])
        record_losses(world, lost, "socialise", int(generation))


def _unrealised_profit(world: World, rows: IntArray) -> FloatArray:
    """Return the sum of the gains of each account's winning positions (N,) [numeraire]."""
    ledger, board = world.ledger, world.board
    slots, owner = ledger.slots(rows)
    market = ledger.market[slots].astype(np.int64)
    gain = ledger.quantity[slots] * (board.mark[market] - ledger.entry_price[slots])
    value = gain * board.multiplier[market] * world.quote_price[market]
    return sums(owner, np.maximum(value, 0.0), len(rows))
