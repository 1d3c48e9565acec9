"""Losses of closed accounts on their way down the waterfall.

An account that holds no position any more and owes money first sells its other collateral to
the desk, at what its clearer counts it at, or at its value where that is less. What it then still
owes is its shortfall: the layers that have money pay what they can (`sim.engine.layers`), largest
shortfalls first; the rest waits for the waterfall phase if the clearer spreads losses over
accounts (`sim.engine.spread`), and is the clearer's own loss otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sim.core.arrays import FloatArray, IntArray, sums
from sim.engine.layers import clear_debt, pay
from sim.models.waterfall import largest_first

if TYPE_CHECKING:
    from sim.engine.world import World

SPREADING = ("gains_haircut", "socialise", "tear_up")
"""Layers that take from accounts, and so wait for the waterfall phase."""

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
    """Settle the debts of those of `rows` (N,) that hold no position any more; see `settle`.

    What accounts close of their own will matters to this settlement only: they have paid for it.
    """
    ledger = world.ledger
    slots, owner = ledger.slots(rows)
    holding = sums(owner, ledger.quantity[slots] != 0.0, len(rows)) > 0.0
    borne = settle(world, rows[~holding], by_force)
    if not by_force:
        forget_fills(world, slots)
    return borne


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
    borne = NOBODY
    if len(debtors):
        if len(world.columns) > 1:
            _sell_collateral(world, debtors)
        owed = _debt(world, debtors)
        borne = _walk_down(world, debtors[owed > 0.0], owed[owed > 0.0])
    forget_fills(world, world.ledger.slots(done)[0])
    return borne


def spreads(world: World, venue: int) -> bool:
    """Return whether a clearer has a layer that spreads losses over accounts."""
    return any(layer.kind in SPREADING for layer in world.waterfall.layers[venue])


def _debt(world: World, rows: IntArray) -> FloatArray:
    """Return what each account owes (N,) [numeraire]."""
    price = world.asset_price[world.columns]
    return np.asarray((np.maximum(-world.ledger.balance[rows], 0.0) * price).sum(axis=1))


def _sell_collateral(world: World, rows: IntArray) -> None:
    """Turn held assets into the owed ones at the desk.

    Each goes at what the clearer counts it at, but for no more than it is worth: what counts at
    par, or by a book that stands higher, is sold all the same.
    """
    ledger, desk = world.ledger, world.plan.desk
    price = world.asset_price[world.columns]
    weight = world.weight[world.clearer[rows].astype(np.int64)]
    for owed in range(len(world.columns)):
        for held in range(len(world.columns)):
            debt = np.maximum(-ledger.balance[rows, owed], 0.0)
            units = np.maximum(ledger.balance[rows, held], 0.0)
            unit_value = np.minimum(weight[:, held], price[held])
            value = np.minimum(units * unit_value, debt * price[owed])
            active = value > 0.0
            if held == owed or not active.any():
                continue
            sold = np.minimum(value[active] / unit_value[active], units[active])
            bought = np.minimum(value[active] / price[owed], debt[active])
            ledger.transfer(rows[active], desk, held, sold, "collateral sale")
            ledger.transfer(desk, rows[active], owed, bought, "collateral sale")


def _walk_down(world: World, rows: IntArray, owed: FloatArray) -> Borne:
    borne: list[Borne] = []
    clearer = world.clearer[rows].astype(np.int64)
    for v in np.unique(clearer).tolist():
        mine = np.flatnonzero(clearer == v)
        mine = mine[largest_first(owed[mine])]
        debt, debtors = owed[mine], rows[mine]
        scale = DUST * world.out.notional[debtors]
        dust = debt <= scale
        paid = pay(world, v, debtors, debt, dust)
        left = debt - paid
        waiting = (left > scale) & spreads(world, v)
        own = np.where(waiting | dust, 0.0, left)
        last = ~waiting & (left > 0.0)
        if last.any():
            house = world.plan.first_house + v
            clear_debt(world, debtors[last], house, np.ones(int(last.sum())), "clearer's own loss")
            world.flows.house_loss[v] += own.sum()
        world.flows.shortfall[v] += np.where(dust, 0.0, debt).sum()
        for row, amount in zip(debtors[waiting].tolist(), left[waiting].tolist(), strict=True):
            world.deficits[v][row] = amount
        world.loss_generation[debtors] = np.maximum(world.label[debtors], 0)
        borne.append(Borne(debtors, np.where(dust, 0.0, paid + own)))
    if not borne:
        return NOBODY
    return Borne(*(np.concatenate(part) for part in zip(*borne, strict=True)))


def note_fills(world: World, slots: IntArray, change: FloatArray, realised: FloatArray) -> None:
    """Note what was closed of positions, each once, where a layer asks for it later."""
    closings = world.waterfall.closings
    if closings is not None:
        closings.note(slots, world.ledger.quantity[slots], change, realised)


def forget_fills(world: World, slots: IntArray) -> None:
    """Forget what was closed of `slots`, but for accounts whose loss still waits."""
    closings = world.waterfall.closings
    if closings is not None:
        waiting = [row for deficits in world.deficits.values() for row in deficits]
        closings.forget(slots[~np.isin(world.ledger.position_row[slots], waiting)])


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
