"""Which account broke when, what it held, and what moved the values of it.

An account **breaks** when it becomes liquidatable, once for each time that it was not before. What
it has lost is counted from the last **instant** at which it was neither liquidatable nor under a
margin call. Instants are the recorded rows, and every check of margins

- with an account that is, was or becomes liquidatable or called, or
- before which money of an account moved or a position of one changed.

They do not depend on the scheduler: calm stretches step over none. An account that is still under
its call after a liquidation starts anew there. The time between two instants is a **window**.

Equity is linear in the values of `sim.engine.passing`, so the loss since an instant is

    E(0) - E(1) = - sum_j h_j (v_j(1) - v_j(0))  +  what flowed out, at the values v(0)

with the exposures h [units] that the account has at its break.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import BoolArray, FloatArray, IntArray, sums
from sim.engine.break_flows import Flows, Worth, flows_of, losses_of, touches_accounts
from sim.engine.growing import GrowingArray
from sim.engine.passing import Moves, Passing
from sim.ledger.tap import Tap

if TYPE_CHECKING:
    from sim.engine.pricing import Pricing
    from sim.engine.world import World

BREAK = np.dtype(
    [
        *((name, "i4") for name in ("tick", "generation", "row", "first", "window")),
        *((name, "f8") for name in ("equity", "maintenance", "loss")),
    ]
)
EXPOSURE = np.dtype([("number", "i4"), ("through", "i2"), ("value", "i2"), ("exposure", "f8")])
FLOW = np.dtype([("number", "i4"), ("through", "i2"), ("cause", "i2"), ("loss", "f8")])
MOVE = np.dtype([("window", "i4"), ("value", "i4"), ("key", "i4"), ("move", "f8")])

STILL = 1e-14
"""Move of a value, as a share of it, that is rounding."""


class Breaks:
    """Keeps the breaks of one world, their exposures and flows, and the moves of values.

    Parameters
    ----------
    world : World
    pricing : Pricing

    Attributes
    ----------
    breaks, exposures, flows, moves : GrowingArray
        Records of the types above, in the order in which they happened.
    in_transit : dict
        By number of a break, top-ups on their way and how much of them would have been needed
        [numeraire].
    """

    def __init__(self, world: World, pricing: Pricing) -> None:
        self.world = world
        self.passing = Passing(world, pricing)
        self.tap = world.ledger.tap = Tap()
        self.breaks, self.exposures = GrowingArray((), BREAK), GrowingArray((), EXPOSURE)
        self.flows, self.moves = GrowingArray((), FLOW), GrowingArray((), MOVE)
        self.in_transit: dict[int, tuple[float, float]] = {}
        self._window = 0
        self._called = False
        self._tracked: dict[int, int] = {}  # accounts under a call, and the window it began in
        self._opening = {0: self._worth()}
        self._start = {0: self.passing.then.value}
        self._kept: list[Flows] = []
        self._chosen = np.zeros(len(world.ledger.balance), dtype=bool)
        self._held_value = [self._value_of(column) for column in range(len(world.columns))]

    def row(self) -> None:
        """Take note of a recorded row."""
        self._close(np.empty(0, dtype=np.int64))

    def check(self, fresh: IntArray, healed: IntArray, called: IntArray, active: bool) -> None:
        """Take note of a check of margins.

        Parameters
        ----------
        fresh, healed : (N,) int64
            Accounts that have just broken, and that are not liquidatable any more.
        called : (C,) int64
            Accounts under a margin call.
        active : bool
            Whether anybody was or is liquidatable.
        """
        happened = active or len(called) > 0 or self._called
        self._called = len(called) > 0
        if not happened and not touches_accounts(self.world, self.tap):
            self.tap.clear()
            return
        self._track(called, healed)
        self._close(np.sort(fresh))

    def _track(self, called: IntArray, healed: IntArray) -> None:
        """Follow the accounts under a call that are not liquidatable."""
        if not len(called) and not self._tracked:
            return
        anew = set(healed.tolist())
        broken_now = called[self.world.label[called] >= 0]
        waiting = set(called.tolist())
        known = self._tracked
        fresh_broken = set(broken_now.tolist())
        followed = {row: start for row, start in known.items() if row in waiting}
        for row in waiting - followed.keys() - fresh_broken:
            followed[row] = self._window + (row in anew)
        self._tracked = followed

    def _close(self, fresh: IntArray) -> None:
        """Close the window, with the accounts (N,) that broke at its end."""
        window, tracked = self._window, self._tracked
        moves = self.passing.close(bool(len(fresh) or tracked))
        if tracked and (self.tap.transfers or self.tap.fills):
            self._keep(tracked)
        if len(fresh) or tracked:
            assert moves is not None
            moved = self._moved(moves)
            used = self._note(fresh, moved) if len(fresh) else np.zeros(len(moved), dtype=bool)
            self._write(moves, moved if tracked else used)
        self.tap.clear()
        self._window = window + 1
        self._forget()

    def _forget(self) -> None:
        """Forget what nobody under a call needs any more, and note the new start."""
        needed = set(self._tracked.values())
        self._opening = {w: one for w, one in self._opening.items() if w in needed}
        self._start = {w: one for w, one in self._start.items() if w in needed}
        self._opening[self._window] = self._worth()
        self._start[self._window] = self.passing.then.value
        if not needed:
            self._kept.clear()

    def _worth(self) -> Worth:
        inputs = self.world.margin_inputs()
        quote = self.world.quote_price
        return Worth(
            inputs.weight_positive.copy(), inputs.asset_price.copy(),
            self.world.board.mark * quote, quote,
        )  # fmt: skip

    def _moved(self, moves: Moves) -> BoolArray:
        """Return which values (J,) moved by more than rounding."""
        size = np.abs(moves.move).sum(axis=1)
        return np.asarray(size > STILL * np.abs(self.passing.then.value))

    def _keep(self, tracked: dict[int, int]) -> None:
        """Keep what flowed in this window to or from accounts under a call."""
        rows = np.array(sorted(tracked), dtype=np.int64)
        self._chosen[rows] = True
        found = flows_of(self.world, self.tap, self._chosen, self._window)
        self._chosen[rows] = False
        if len(found.row):
            self._kept.append(found)

    def _note(self, fresh: IntArray, moved: BoolArray) -> BoolArray:
        """Note breaks; return the values (J,) whose moves in this window they need."""
        if not self._tracked:
            return self._note_some(fresh, self._window, moved)
        used = np.zeros(len(moved), dtype=bool)
        begun = np.array([self._tracked.pop(row, self._window) for row in fresh.tolist()])
        for first in np.unique(begun).tolist():
            rows = fresh[begun == first]
            known = moved
            if first < self._window:
                known = self.passing.then.value != self._start[first]
                known |= moved
            used |= self._note_some(rows, first, known)
        return used

    def _note_some(self, rows: IntArray, first: int, moved: BoolArray) -> BoolArray:
        """Note the breaks of accounts whose loss began in one window."""
        world, out, count = self.world, self.world.out, len(rows)
        number = self.breaks.size
        change = self.passing.then.value - self._start[first]
        owner, through, value, exposure = self._exposures(rows, moved | (change != 0.0))
        loss = -sums(owner, exposure * change[value], count)
        kept = moved[value]
        noted = self.exposures.extend(int(kept.sum()))
        noted["number"], noted["through"] = number + owner[kept], through[kept]
        noted["value"], noted["exposure"] = value[kept], exposure[kept]
        loss += self._note_flows(rows, first, number)
        new = self.breaks.extend(count)
        new["tick"], new["generation"], new["row"] = world.tick, world.label[rows], rows
        new["first"], new["window"] = first, self._window
        new["equity"], new["maintenance"] = out.equity[rows], out.maintenance[rows]
        new["loss"] = loss
        for k, row in enumerate(rows.tolist() if world.in_flight else ()):
            if coming := world.in_flight.get(row, 0.0):
                need = float(world.required[row] * out.maintenance[row] - out.equity[row])
                self.in_transit[number + k] = coming, min(coming, max(need, 0.0))
        used = np.zeros(len(moved), dtype=bool)
        used[value[kept]] = True
        return used

    def _exposures(
        self, rows: IntArray, moved: BoolArray
    ) -> tuple[IntArray, IntArray, IntArray, FloatArray]:
        """Return owner (index into `rows`), code of what it is held through, value and exposure.

        Holdings none of whose values (J,) has moved are left out.
        """
        world, ledger, board = self.world, self.world.ledger, self.world.board
        markets = len(board.ids)
        slots, owner = ledger.slots(rows)
        held = ledger.quantity[slots] != 0.0
        slots, owner = slots[held], owner[held]
        market = ledger.market[slots].astype(np.int64)
        size = ledger.quantity[slots] * board.multiplier[market]
        parts = [(owner, market, market, size)]
        if moved[markets + board.quote].any():
            cost = size * ledger.entry_price[slots]
            parts.append((owner, market, markets + board.quote[market], -cost))
        clearer, everyone = world.clearer[rows].astype(np.int64), np.arange(len(rows))
        for column, asset in enumerate(world.columns.tolist()):
            held_value = self._held_value[column]
            if not (moved[markets + asset] or moved[held_value[held_value >= 0]].any()):
                continue
            balance = ledger.balance[rows, column]
            held = balance > 0.0
            value = np.where(held, held_value[clearer], markets + asset)
            unit = np.where(held, world.keep[clearer, column], 1.0)
            some = np.flatnonzero((balance != 0.0) & (value >= 0))
            through = np.full(len(some), markets + asset)
            parts.append((everyone[some], through, value[some], (unit * balance)[some]))
        joined = [np.concatenate(one) for one in zip(*parts, strict=True)]
        return joined[0], joined[1], joined[2], joined[3]

    def _value_of(self, column: int) -> IntArray:
        """Return which value (V,) gives a balance held at a clearer its worth; -1 is par."""
        world = self.world
        local, markets = world.local, len(world.board.ids)
        first_own = markets + len(world.asset_price)
        by_clearer = np.full(len(world.venue_names), markets + int(world.columns[column]))
        own = np.flatnonzero(local.own_column == column)
        by_clearer[local.own_clearer[own]] = first_own + own
        by_clearer[local.par_clearer[local.par_column == column]] = -1
        return by_clearer

    def _note_flows(self, rows: IntArray, first: int, number: int) -> FloatArray:
        """Note what flowed from accounts (N,) since a window began; return it [numeraire]."""
        if not (self.tap.transfers or self.tap.fills or self._kept):
            return np.zeros(len(rows))
        self._chosen[rows] = True
        found = flows_of(self.world, self.tap, self._chosen, self._window)
        if first < self._window and self._kept:
            kept = Flows.joined(self._kept)
            earlier = self._chosen[kept.row] & (kept.window >= first) & (kept.window < self._window)
            found = Flows.joined([kept.only(earlier), found])
        self._chosen[rows] = False
        if not len(found.row):
            return np.zeros(len(rows))
        loss = losses_of(self.world, found, self._opening[first])
        owner = np.searchsorted(rows, found.row)
        markets = len(self.world.board.ids)
        code = (owner * 8 + found.cause) * (markets + 1) + found.market + 1
        codes, place = np.unique(code, return_inverse=True)
        lost = sums(place, loss, len(codes))
        new = self.flows.extend(len(codes))
        rest, new["through"] = codes // (markets + 1), codes % (markets + 1) - 1
        new["number"], new["cause"], new["loss"] = number + rest // 8, rest % 8, lost
        return sums(owner, loss, len(rows))

    def _write(self, moves: Moves, used: BoolArray) -> None:
        """Write the moves of the values in use."""
        row = np.flatnonzero(used)
        some = moves.move[row]
        place, key = np.nonzero(some)
        new = self.moves.extend(len(place))
        new["window"], new["value"], new["key"] = self._window, row[place], moves.key[key]
        new["move"] = some[place, key]
