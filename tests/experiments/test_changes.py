"""Changes, their texts, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

import sim
from sim.experiments import (
    Absent,
    Change,
    InstantTransfers,
    MarginRule,
    NoLiquidation,
    Override,
    RingFence,
    Silence,
    Without,
    counterfactual,
    parse_change,
)
from sim.experiments.changes import as_changes
from sim.experiments.worlds import changed
from tests.cli.command import small


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("silence:binance", Silence("binance")),
        ("spare:x", NoLiquidation("x")),
        ("fence:x", RingFence("x")),
        ("absent:x", Absent("x")),
        ("without:retail", Without("retail")),
        ("without:a:b=c", Without("a:b=c")),
        ("instant-transfers", InstantTransfers()),
        ("shocks.0.return=-0.2", Override("shocks.0.return", "-0.2")),
        ("shocks.0.label=silence:x", Override("shocks.0.label", "silence:x")),
    ],
)
def test_a_text_stands_for_a_change(text: str, change: Change) -> None:
    assert parse_change(text) == change
    assert change.text == text
    assert as_changes(text) == as_changes([change]) == (change,)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "'': found no change that there is"),
        ("silence", "did you mean 'silence'\\?|found no change"),
        ("silence:", "found a change without a name"),
        ("silense:x", "did you mean 'silence'?"),
        ("=3", "found no change that there is"),
        ("instant-transfer", "did you mean 'instant-transfers'?"),
    ],
)
def test_other_texts_are_refused(text: str, said: str) -> None:
    with pytest.raises(sim.ScenarioError) as refused:
        parse_change(text)
    assert any(part.replace("\\", "") in str(refused.value) for part in said.split("|"))
    assert len(refused.value.problems) == 1


def test_a_change_lands_in_the_scenario_and_leaves_the_old_one_alone(tmp_path: Path) -> None:
    scenario = sim.load(small(tmp_path))
    before = scenario.model_dump_json()
    other = changed(
        scenario,
        [
            Silence("alpha"),
            RingFence("beta"),
            Without("retail"),
            Without("retail-07"),
            MarginRule("alpha", {"maintenance_rate": 0.015, "initial_rate": 0.03}),
            Override("shocks.0.return", "-0.1"),
        ],
    )
    block = other.counterfactual
    assert (block.silence, block.ring_fence) == (["alpha"], ["beta"])
    assert (block.without_groups, block.without_traders) == (["retail"], ["retail-07"])
    margin = other.venues["alpha"].margin
    assert (margin.maintenance_rate, margin.initial_rate) == (0.015, 0.03)
    assert other.shocks[0].return_ == -0.1
    assert scenario.model_dump_json() == before
    # A second change joins the first one.
    both = changed(other, [Silence("beta"), Silence("alpha")])
    assert both.counterfactual.silence == ["alpha", "beta"]


def test_instant_transfers_reach_everybody_who_tops_up(tmp_path: Path) -> None:
    top_up = "    long_share: 0.7\n    top_up: {latency: 3s}\n"
    scenario = sim.load(small(tmp_path, **{"    long_share: 0.7\n": top_up}))
    assert changed(scenario, [InstantTransfers()]).traders[0].top_up.latency == 0.0
    plain = sim.load(small(tmp_path))
    assert changed(plain, [InstantTransfers()]).traders[0].top_up is None


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (Silence("alhpa"), "unknown venue 'alhpa'; allowed: alpha, beta; did you mean 'alpha'?"),
        (MarginRule("gamma", {}), "unknown venue 'gamma'"),
        ("fence:bet", "did you mean 'beta'?"),
        (Without("retial"), "unknown trader 'retial'"),
        (Without("retail-99"), "did you mean 'retail-"),
        (["silence:alpha", "silence:alpha"], "the same change twice; allowed: each change once"),
        (["silence:alpha", "spare:alpha"], "which liquidates nobody by spare"),
        ("venues.alpha.margin.maintenance_rate=2", "venues.alpha.margin.maintenance_rate"),
        ("venues.alpha.margin.maintenence_rate=0.1", "did you mean 'maintenance_rate'?"),
        ("venues.gamma.margin.kind=cross", "unknown name 'gamma'"),
        ("counterfactual.silence=[gamma]", "unknown venue 'gamma'"),
        ("counterfactual.without_groups=[x]", "unknown cohort or book 'x'"),
    ],
)
def test_what_the_scenario_does_not_have_is_refused(
    tmp_path: Path, what: Change | str | list[str], said: str
) -> None:
    scenario = sim.load(small(tmp_path))
    with pytest.raises(sim.ScenarioError) as refused:
        counterfactual(scenario, what)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ({"replications": 0}, "replications is 0; allowed: a whole number from 1 on"),
        ({"replications": 1.5}, "replications is 1.5"),
        ({"replications": True}, "replications is True"),
        ({"seed": -1}, "seed is -1; allowed: a whole number from 0 on"),
        ({"workers": 0}, "workers is 0; allowed: a whole number from 1 on"),
    ],
)
def test_numbers_out_of_range_are_refused(tmp_path: Path, named: dict, said: str) -> None:
    scenario = sim.load(small(tmp_path))
    with pytest.raises(ValueError, match=said):
        counterfactual(scenario, [], **named)


def test_what_is_no_change_is_refused(tmp_path: Path) -> None:
    scenario = sim.load(small(tmp_path))
    with pytest.raises(ValueError, match="a change is 3; allowed: a Change or its text"):
        counterfactual(scenario, [3])  # type: ignore[list-item]
    with pytest.raises(ValueError, match=r"level is 1.0; allowed: a number between 0 and 1"):
        counterfactual(scenario, []).summary(level=1.0)


@pytest.mark.slow
def test_an_error_in_a_worker_arrives_as_it_is(tmp_path: Path) -> None:
    scenario = sim.load(small(tmp_path))
    with pytest.raises(sim.ScenarioError, match="unknown trader 'retail-99'"):
        counterfactual(scenario, Without("retail-99"), workers=2)
