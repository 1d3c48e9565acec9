"""Accounts that stand on both sides of a ring fence are divided along it.

An account with positions on markets of several groups (`sim.engine.fences`) becomes one account
for each group, of the same trader and clearer, so that a loss on one side cannot sell what is held
on the other. A part takes its positions and the share of every balance, debts included, that its
positions have in the gross notional N [numeraire] at the opening,

    balance_part = balance * N_part / N,

so that all parts have the leverage that the whole had. The part of the lowest group keeps the id;
others are called ``<id>|<venue>``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import FloatArray, IntArray, sums
from sim.core.texts import Texts
from sim.engine.draft import AccountsDraft, starts
from sim.engine.fences import fence_groups
from sim.engine.listing import Listing

if TYPE_CHECKING:
    from sim.engine.world import World
    from sim.schema import Scenario


def divided(drafts: list[AccountsDraft], scenario: Scenario) -> list[AccountsDraft]:
    """Return drafts whose accounts all stand on one side of every fence."""
    fenced = scenario.counterfactual.ring_fence
    if not fenced:
        return drafts
    listing = Listing.from_scenario(scenario)
    fence = fence_groups(scenario)[listing.venue]
    return [_divide(draft, fence, listing.contract_value, fenced) for draft in drafts]


def _divide(
    draft: AccountsDraft, fence: IntArray, worth: FloatArray, fenced: list[str]
) -> AccountsDraft:
    """Divide the accounts (A) of a draft into parts (B >= A)."""
    groups = len(fenced) + 1
    key = draft.position_account() * groups + fence[draft.position_market]
    empty = np.flatnonzero(np.diff(draft.position_start) == 0) * groups
    keys: IntArray = np.union1d(key, empty)
    if len(keys) == draft.accounts:
        return draft
    owner, group = keys // groups, keys % groups
    part = np.searchsorted(keys, key)
    order = np.argsort(part, kind="stable")
    gross = sums(part, np.abs(draft.quantity) * worth[draft.position_market], len(keys))
    total = sums(owner, gross, draft.accounts)[owner]
    first = np.concatenate([[True], owner[1:] != owner[:-1]])
    share = np.where(total > 0.0, gross / np.where(total > 0.0, total, 1.0), first)
    whole = np.bincount(owner, minlength=draft.accounts)[owner] == 1
    share[whole] = 1.0
    roster = draft.roster()
    ids = (
        roster.account_id(a) + ("" if f else f"|{fenced[g - 1]}")
        for a, g, f in zip(owner.tolist(), group.tolist(), first.tolist(), strict=True)
    )
    return replace(
        draft,
        account_ids=Texts(ids),
        trader=draft.trader[owner],
        clearer=draft.clearer[owner],
        isolated=draft.isolated[owner],
        balance=draft.balance[owner] * share[:, None],
        position_start=starts(np.bincount(part, minlength=len(keys))),
        position_market=draft.position_market[order],
        quantity=draft.quantity[order],
        entry_price=draft.entry_price[order],
    )


def sides(world: World) -> IntArray:
    """Return a number (A,) for each account, the same for those between which money may move.

    They are on one side of every fence, by their clearer and by the markets of their positions.
    """
    fence = fence_groups(world.scenario)
    clearer = fence[world.clearer[: world.accounts]]
    if not fence.any():
        return clearer
    slots, owner = world.ledger.slots(np.arange(world.accounts))
    beyond = clearer.copy()
    market = world.ledger.market[slots].astype(np.int64)
    beyond[owner] = fence[world.board.venue[market]]
    return clearer * (int(fence.max()) + 1) + beyond
