"""Accounts that a counterfactual leaves out.

They are taken out after everybody has been drawn and cohorts were scaled to a stated open
interest, so that all others have the accounts, ids and sizes that they had, to the last bit; the
open interest of what is left is smaller by theirs.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import BoolArray
from sim.core.errors import Problem, ScenarioError
from sim.core.nearest import nearest
from sim.core.texts import Texts
from sim.engine.draft import AccountsDraft, starts
from sim.schema.checks_counterfactual import group_names

if TYPE_CHECKING:
    from sim.schema import Scenario

MOST_IDS = 20_000
"""Trader ids of a cohort among which the nearest to an unknown one is looked for."""


def without(drafts: list[AccountsDraft], scenario: Scenario) -> list[AccountsDraft]:
    """Return the drafts without the accounts that the scenario's counterfactual leaves out.

    Raises
    ------
    ScenarioError
        If it names a trader that there is not.
    """
    change = scenario.counterfactual
    if not change.removes:
        return drafts
    wanted = set(change.without_traders)
    absent = np.array([name in change.without_venues for name in scenario.venues], dtype=bool)
    left, found = [], set()
    for draft in drafts:
        if draft.name in change.without_groups:
            left.append(_emptied(draft))
            continue
        named = _traders(draft, wanted)
        found |= {draft.trader_id(trader) for trader in np.flatnonzero(named).tolist()}
        kept = ~named[draft.trader] & ~absent[draft.clearer]
        left.append(draft if kept.all() and not named.any() else _only(draft, kept, named))
    for name in change.without_traders:
        if name not in found:
            raise _unknown_trader(name, drafts, scenario)
    return left


def _traders(draft: AccountsDraft, wanted: set[str]) -> BoolArray:
    """Return which traders (T,) of a draft are named."""
    named = np.zeros(draft.traders, dtype=bool)
    if wanted:
        roster = draft.roster()
        named[:] = [roster.trader_id(trader) in wanted for trader in range(draft.traders)]
    return named


def _emptied(draft: AccountsDraft) -> AccountsDraft:
    """Return a draft of nobody, under the same name."""
    nobody = _only(draft, np.zeros(draft.accounts, dtype=bool), np.zeros(draft.traders, dtype=bool))
    trader_ids = None if draft.trader_ids is None else Texts()
    return replace(nobody, wallet=draft.wallet[:0], trader_ids=trader_ids, capped=0, topped_up=0)


def _only(draft: AccountsDraft, kept: BoolArray, named: BoolArray) -> AccountsDraft:
    """Return a draft with the accounts (A,) that are kept; traders (T,) who are named own nothing.

    Traders keep their numbers, and so everybody's ids stay as they are.
    """
    sizes = np.diff(draft.position_start)
    held = np.repeat(kept, sizes)
    ids = draft.account_ids
    return replace(
        draft,
        trader=draft.trader[kept],
        clearer=draft.clearer[kept],
        isolated=draft.isolated[kept],
        balance=draft.balance[kept],
        position_start=starts(sizes[kept]),
        position_market=draft.position_market[held],
        quantity=draft.quantity[held],
        entry_price=draft.entry_price[held],
        wallet=np.where(named[:, None], 0.0, draft.wallet),
        account_ids=None if ids is None else Texts(ids[k] for k in np.flatnonzero(kept).tolist()),
    )


def _unknown_trader(name: str, drafts: list[AccountsDraft], scenario: Scenario) -> ScenarioError:
    ids = group_names(scenario)
    for draft in drafts:
        roster = draft.roster()
        ids += [roster.trader_id(k) for k in range(min(draft.traders, MOST_IDS))]
    number = scenario.counterfactual.without_traders.index(name)
    path = ("counterfactual", "without_traders", number)
    source = scenario.source
    line, column = source.place(path)
    return ScenarioError(
        Problem(
            source.file_of(path),
            line,
            column,
            ".".join(map(str, path)),
            f"unknown trader '{name}'",
            "a cohort, a book, or the trader_id of one of their traders",
            nearest(name, ids),
        )
    )
