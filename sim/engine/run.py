"""One run, from scenario to result."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sim.core.version import code_version
from sim.engine.build import build_world
from sim.engine.checkpoints import checkpoint_tables
from sim.engine.manifest import build_manifest
from sim.engine.model import LiquidationModel
from sim.engine.result import Result
from sim.engine.summary import summarise
from sim.ledger.invariants import check as check_ledger
from sim.schema import scenario_id

if TYPE_CHECKING:
    from sim.agents import TraderPlan
    from sim.schema import Scenario

Progress = Callable[[int, int], None]

CHECK_VARIABLE = "LIQSIM_CHECK"
"""Environment variable that turns the invariants on where it is 1, as the test suite does."""


def run_id_of(scenario: Scenario, seed: int, traders: Sequence[TraderPlan] = ()) -> str:
    """Return the id of a run: a hash of scenario id, seed, code version and hand-written parts."""
    identity = {
        "scenario": scenario_id(scenario),
        "seed": seed,
        "code": code_version(),
        "traders": [repr(plan) for plan in traders],
    }
    text = json.dumps(identity, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def run(
    scenario: Scenario,
    *,
    seed: int | None = None,
    check: bool = False,
    progress: Progress | None = None,
    traders: Sequence[TraderPlan] = (),
) -> Result:
    """Run a scenario.

    Parameters
    ----------
    scenario : Scenario
        From `sim.load`.
    seed : int, optional
        Root seed; the scenario's own by default.
    check : bool
        Check conservation of money and quantity after every phase and generation; also on
        where the scenario says ``engine.check`` or the environment ``LIQSIM_CHECK=1``.
    progress : callable, optional
        Called with (ticks done, ticks in all) now and then.
    traders : sequence of TraderPlan
        Hand-written traders, from `Trader.plan`.

    Returns
    -------
    Result

    Raises
    ------
    ScenarioError
        The scenario or a book cannot be used.
    RunError
        The run failed.
    """
    began = time.perf_counter()
    seed = scenario.seed if seed is None else seed
    world = build_world(scenario, seed, traders)
    world.checked = check or scenario.engine.check or os.environ.get(CHECK_VARIABLE) == "1"
    check_ledger(world.ledger, "the opening")
    if progress is not None:
        progress(0, world.clock.ticks)
    model = LiquidationModel(world, traders)
    try:
        ticks = world.clock.ticks
        step = max(1, ticks // 200)
        done = told = 0
        while done < ticks:
            done = model.advance(done)
            if progress is not None and (done >= told + step or done == ticks):
                told = done
                progress(done, ticks)
    finally:
        model.release()
    check_ledger(world.ledger, "the last tick")
    tables = model.recorder.tables()
    run_id = run_id_of(scenario, seed, traders)
    summary = summarise(world, model.recorder, tables, run_id, seed)
    summary["wall_seconds"] = time.perf_counter() - began
    manifest = build_manifest(scenario, seed, run_id, world, summary["wall_seconds"], traders)
    states = checkpoint_tables(world)
    return Result(summary=summary, manifest=manifest, states=states, **tables)
