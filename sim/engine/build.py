"""From what a user wrote to a world that can run: the only bridge between config and state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sim.core.arrays import FloatArray, IntArray, blocks
from sim.core.clock import TickClock
from sim.core.errors import Problem, ScenarioError
from sim.core.streams import Streams
from sim.core.texts import Texts
from sim.engine.board import MarketBoard
from sim.engine.coupling import CouplingGroup, coupled_markets, within_fences
from sim.engine.dividing import divided
from sim.engine.draft import AccountsDraft
from sim.engine.endowment import endow
from sim.engine.events import EventLog
from sim.engine.fences import fence_groups, fenced_prices
from sim.engine.handwritten import draft_trader
from sim.engine.layout import Layout
from sim.engine.population import draft_book, draw_cohort, scale_to_open_interest
from sim.engine.removal import without
from sim.engine.waterfall import prepare_waterfalls
from sim.engine.world import NOT_LABELLED, Flows, World
from sim.kernels.margin import MarginOutputs
from sim.models.margin import MarginTables
from sim.models.shock import build_exogenous
from sim.schema import BookSource, load_book

if TYPE_CHECKING:
    from sim.agents import TraderPlan
    from sim.schema import Scenario


def draw_population(
    scenario: Scenario, tables: MarginTables, streams: Streams, plans: Sequence[TraderPlan] = ()
) -> list[AccountsDraft]:
    """Return the accounts of every cohort, book and hand-written trader, in that order."""
    drafts = []
    for source in scenario.traders:
        if isinstance(source, BookSource):
            drafts.append(draft_book(load_book(source, scenario), scenario))
        else:
            drafts.append(draw_cohort(source, scenario, tables, streams))
    drafts = scale_to_open_interest(drafts, scenario, tables)
    drafts = divided(drafts, scenario)
    drafts += [draft_trader(plan, scenario) for plan in plans]
    _require_unique_ids(drafts, scenario)
    return without(drafts, scenario)


def _require_unique_ids(drafts: list[AccountsDraft], scenario: Scenario) -> None:
    def refuse(found: str, allowed: str) -> ScenarioError:
        return ScenarioError(Problem(scenario.source.file, None, None, "traders", found, allowed))

    names = [draft.name for draft in drafts]
    twice = sorted(name for name in set(names) if names.count(name) > 1)
    if twice:
        allowed = "a name of its own for every cohort, book and trader"
        raise refuse(f"two groups named '{twice[0]}'", allowed)
    twice_listed = _first_repeated([d.account_ids for d in drafts if d.account_ids is not None])
    if twice_listed is not None:
        found = f"the account_id '{twice_listed}' in two books"
        raise refuse(found, "an account_id of its own for every account")
    for draft in drafts:
        if (draft.wallet < 0.0).any():
            found = f"a negative wallet balance in '{draft.name}'"
            raise refuse(found, "balances of 0 or more for the clearer 'wallet'")


def _first_repeated(books: list[Texts]) -> str | None:
    """Return the first text in order that several lists share; a list never repeats one."""
    if len(books) < 2:
        return None
    marks = [np.fromiter(map(hash, ids), dtype=np.int64, count=len(ids)) for ids in books]
    mark = np.sort(np.concatenate(marks))
    alike = set(mark[1:][mark[1:] == mark[:-1]].tolist())  # equal ids have equal hashes
    counts = Counter(text for ids in books for text in ids if hash(text) in alike) if alike else {}
    return min((text for text, count in counts.items() if count > 1), default=None)


def build_world(scenario: Scenario, seed: int, plans: Sequence[TraderPlan] = ()) -> World:
    """Build the state of a run.

    Parameters
    ----------
    scenario : Scenario
    seed : int
        Root seed of this run.
    plans : sequence of TraderPlan
        Hand-written traders.

    Raises
    ------
    ScenarioError
        A book cannot be used, or the parts of the scenario do not fit together.
    """
    clock = TickClock(scenario.clock.tick, round(scenario.clock.horizon / scenario.clock.tick))
    streams = Streams(seed)
    tables = MarginTables.from_scenario(scenario)
    drafts = draw_population(scenario, tables, streams, plans)
    venues = list(scenario.venues)
    venue = np.array([venues.index(m.venue) for m in scenario.markets], dtype=np.int64)
    multiplier = np.array([m.multiplier for m in scenario.markets], dtype=np.float64)
    board = MarketBoard(scenario, multiplier, venue)
    columns = _balance_columns(scenario, drafts)
    layout = Layout(scenario, drafts, columns, board)  # which empties the drafts
    ledger = layout.ledger()
    accounts, size = layout.plan.accounts, len(venues)
    prices = np.array([asset.price for asset in scenario.assets.values()], dtype=np.float64)
    world = World(
        scenario=scenario,
        clock=clock,
        plan=layout.plan,
        ledger=ledger,
        board=board,
        tables=tables,
        exogenous=build_exogenous(scenario, clock, streams),
        rosters=layout.rosters(ledger),
        roster_offset=layout.offset,
        clearer=layout.clearer,
        cohort=layout.cohort,
        trader=layout.trader,
        trader_rows=layout.trader_rows,
        wallet_row=layout.wallet_row,
        columns=columns,
        asset_price=prices.copy(),
        free_price=prices.copy(),
        haircut=_haircuts(scenario, columns),
        local=fenced_prices(scenario, columns),
        settlement=_settlement(scenario, columns),
        rules=[v.liquidation for v in scenario.venues.values()],
        events=EventLog(),
        out=MarginOutputs.empty(accounts),
        required=tables.liquidation_ratio[layout.clearer],
        deadline=np.full(accounts, -1, dtype=np.int32),
        label=np.full(accounts, NOT_LABELLED, dtype=np.int32),
        step=np.zeros(accounts, dtype=np.int32),
        loss_generation=np.zeros(accounts, dtype=np.int32),
        liquidated=np.zeros(accounts, dtype=bool),
        closed=np.zeros(accounts, dtype=bool),
        batch_due=np.full(size, -1, dtype=np.int64),
        flows=Flows.zero(size),
        totals=Flows.zero(size),
        streams=streams,
    )
    endow(world, layout)
    prepare_waterfalls(world, streams)
    for part in blocks(accounts):
        world.revalue(np.arange(part.start, part.stop))
    return world


def coupling_groups(world: World) -> list[CouplingGroup]:
    """Return the couplings of a scenario with the arbitrageurs' position slots."""
    groups = []
    row = world.plan.first_arbitrage
    for coupling in world.scenario.coupling:
        if coupling.kind == "none":
            continue
        markets = np.array(coupled_markets(world.scenario, coupling), dtype=np.int64)
        if coupling.kind == "cross_impact":
            empty = np.empty(0, dtype=np.int64)
            groups.append(CouplingGroup("cross_impact", markets, empty, phi=coupling.phi))
            continue
        slots = world.ledger.position_start[row : row + len(markets)]
        row += len(markets)
        groups.append(
            CouplingGroup(
                "arbitrage",
                markets,
                slots,
                kappa=coupling.kappa,
                time_constant=coupling.time_constant,
            )
        )
    fence = fence_groups(world.scenario)[world.board.venue]
    return [part for group in groups for part in within_fences(group, fence)]


def _balance_columns(scenario: Scenario, drafts: list[AccountsDraft]) -> IntArray:
    """Return the assets in which somebody holds or settles money, in the scenario's order."""
    assets = list(scenario.assets)
    used = {assets.index(m.quote) for m in scenario.markets}
    for draft in drafts:
        used |= set(draft.balance_assets)
    return np.array(sorted(used), dtype=np.int64)


def _haircuts(scenario: Scenario, columns: IntArray) -> FloatArray:
    names = [list(scenario.assets)[k] for k in columns]
    return np.array(
        [
            [venue.collateral.get(name, scenario.assets[name].haircut) for name in names]
            for venue in scenario.venues.values()
        ]
    )


def _settlement(scenario: Scenario, columns: IntArray) -> IntArray:
    """Return the column in which each clearer settles: the quote of its first market."""
    assets = list(scenario.assets)
    first = scenario.markets[0].quote
    quotes = [
        next((m.quote for m in scenario.markets if m.venue == name), first)
        for name in scenario.venues
    ]
    return np.array([int(np.flatnonzero(columns == assets.index(q))[0]) for q in quotes])
