"""The benchmarks of experiments measure what they say."""

from __future__ import annotations

from benchmarks import sweeping
from benchmarks.sizes import day


def test_the_experiment_is_the_day_with_two_depths() -> None:
    made = sweeping.plan(200, 60, 6)
    assert made.runs == 6
    assert made.base.scenario({}).clock.horizon == 60
    same = {"impact.y": made.base.scenario({}).markets[0].impact.model_dump()["y"]}
    assert same == {"impact.y": day(200, 60).markets[0].impact.model_dump()["y"]}
    counts = [source.model_dump()["count"] for source in made.base.scenario({}).traders]
    assert counts == [source.model_dump()["count"] for source in day(200, 60).traders]


def test_what_is_beyond_a_run_is_less_than_the_whole() -> None:
    done = sweeping.overhead(100, 30, 2)
    assert done["failed"] == 0
    assert done["beyond_seconds"] > 0
    assert done["run_seconds"] > 0


def test_rows_that_take_no_time_are_collected() -> None:
    done = sweeping.parent(20)
    assert done["runs"] == 20
    assert 0 < done["peak_bytes"] <= done["peak_bytes_with_table"]
