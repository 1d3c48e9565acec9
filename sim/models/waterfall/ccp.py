"""The default waterfall of a central counterparty.

A loss L beyond a defaulter's margin is paid by layers of size S_1, S_2, ... one after the other,

    paid_k = min(S_k, L - sum_{j < k} paid_j)

in the usual order: the defaulter's own contribution to the default fund, the clearer's skin in
the game, the contributions of the others, assessments, gains haircut, tear-up (CME Group,
"Financial safeguards waterfalls"; assessments of 275 % of a contribution for one default are from
memory, unverified). With the initial margin IM_i of member i at the start,

    contribution_i = F IM_i / sum IM                         F: size of the default fund
    room_i         = multiple * contribution_i - called_i    of a member that has not defaulted
    haircut_i      = min(gain_i, equity_i, t gain_i)         t such that they add up to the loss

A fund that covers k has at least the k largest stress losses ("cover-1", "cover-2").
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sim.core.arrays import BoolArray, FloatArray
from sim.models.waterfall.insurance_fund import cover_in_order
from sim.models.waterfall.socialise import water_fill


def pay_in_order(loss: float, sizes: Sequence[float]) -> tuple[list[float], float]:
    """Return what each layer pays of one loss, and what none of them pays [quote]."""
    paid, left = [], loss
    for size in sizes:
        paid.append(float(cover_in_order(np.array([left]), size)[0]))
        left -= paid[-1]
    return paid, left


def contributions(size: float, initial_margin: FloatArray) -> FloatArray:
    """Return what each member (N,) pays into a fund of `size`; nothing without initial margin."""
    total = initial_margin.sum()
    return initial_margin * (size / total if total > 0.0 else 0.0)


def draw_contributions(left: FloatArray, paid: float) -> FloatArray:
    """Return what is left of contributions (N,) after all have paid in proportion."""
    total = left.sum()
    return left * max(1.0 - paid / total, 0.0) if total > 0.0 else left


def assessment_room(
    contribution: FloatArray, called: FloatArray, defaulted: BoolArray, multiple: float
) -> FloatArray:
    """Return what each member (N,) can still be asked for, in the unit of contributions."""
    room = np.maximum(multiple * contribution - called, 0.0)
    return np.where(defaulted, 0.0, room)


def gains_haircut(loss: float, gain: FloatArray, equity: FloatArray) -> FloatArray:
    """Return what each winner (N,) gives up: the same share of its gain, at most its equity."""
    most = np.minimum(gain, np.maximum(equity, 0.0))
    return water_fill(loss, gain, most)


def cover(stress_losses: FloatArray, members: int) -> float:
    """Return the fund that covers the default of the `members` with the largest losses."""
    return float(np.sort(stress_losses)[::-1][:members].sum())
