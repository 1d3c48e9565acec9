"""Equal runs are equal to the byte, on disk, in another process, and when replayed."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import sim
from tests.engine.small_worlds import build, jump, linear, longs, perp, venue

ROOT = Path(__file__).parents[2]


def scenario(folder, book=True):
    cohort = {
        "cohort": "retail", "count": 300, "venues": {"one": 0.6, "two": 0.4},
        "equity": {"dist": "pareto", "alpha": 1.5, "min": 50, "max": 5000}, "long_share": 0.7,
        "leverage": {"dist": "lognormal", "median": 6, "sigma": 0.5, "max": 20},
        "behaviour": {"kind": "deleverage", "speed": 0.2},
    }  # fmt: skip
    layers = [{"kind": "insurance_fund", "size": 500}, {"kind": "adl"}, {"kind": "socialise"}]
    venues = {
        "one": venue(0.02, waterfall=layers, mark={"kind": "ema", "half_life": 2}),
        "two": venue(0.02, liquidation={"kind": "partial", "latency": 1, "fee_bps": 20}),
    }
    return build(
        folder,
        longs((20, 300), (5, 900)) if book else (),
        traders=[cohort],
        venues=venues,
        markets=[perp(impact=linear(0.002)), perp("two", impact={"kind": "square_root",
                 "adv": 1e6, "sigma": 0.05})],
        coupling=[{"kind": "arbitrage", "asset": "BTC", "kappa": 0.5, "time_constant": 3}],
        shocks=[jump(-0.12), {"kind": "gbm", "assets": ["BTC"], "volatility": 2.0},
                {"kind": "outage", "venue": "two", "at": 4, "duration": 2}],
        horizon=12,
        seed=11,
    )  # fmt: skip


def digests(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("manifest.json", "summary.json")
    }


CHILD = """
import sys
from pathlib import Path
from tests.engine.test_replay import scenario
import sim
folder = Path(sys.argv[1])
print(sim.run(scenario(folder)).save(folder / "out", figures=False))
"""


def test_two_processes_write_the_same_bytes(tmp_path):
    found = []
    for seed in ("1", "2"):
        folder = tmp_path / seed
        folder.mkdir()
        done = subprocess.run(
            [sys.executable, "-c", CHILD, str(folder)],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        path = Path(done.stdout.strip())
        summary = json.loads((path / "summary.json").read_text())
        summary.pop("wall_seconds")
        assert summary["accounts_liquidated"] > 10
        found.append((path.name, digests(path), summary))
    assert found[0] == found[1]


def test_the_seed_matters_and_nothing_else(tmp_path):
    loaded = scenario(tmp_path)
    first, again, other = (sim.run(loaded, seed=seed) for seed in (1, 1, 2))
    assert first.liquidations.equals(again.liquidations)
    assert first.prices.equals(again.prices)
    assert first.summary["run_id"] == again.summary["run_id"] != other.summary["run_id"]
    assert not first.prices.equals(other.prices)


def test_checking_changes_neither_the_numbers_nor_the_identity(tmp_path):
    loaded = scenario(tmp_path)
    plain, checked = sim.run(loaded), sim.run(loaded, check=True)
    assert plain.liquidations.equals(checked.liquidations)
    assert plain.price_causes.equals(checked.price_causes)
    assert plain.summary["run_id"] == checked.summary["run_id"]


def test_a_run_replays_and_a_changed_table_is_found(tmp_path):
    folder = sim.run(scenario(tmp_path)).save(tmp_path / "results", figures=False)
    assert folder.parent.name == "small"
    compared = sim.replay(folder)
    assert {"prices.parquet", "liquidations.parquet", "summary.json"} <= set(compared)
    with (folder / "venues.parquet").open("ab") as stream:
        stream.write(b" ")
    with pytest.raises(sim.ReplayMismatch, match=r"venues\.parquet"):
        sim.replay(folder)


def test_a_changed_book_is_not_replayed(tmp_path):
    folder = sim.run(scenario(tmp_path)).save(tmp_path / "results", figures=False)
    with (tmp_path / "book-balances.csv").open("a") as stream:
        stream.write("\n")
    with pytest.raises(sim.ScenarioError, match="changed"):
        sim.replay(folder)


def test_hand_written_traders_cannot_be_replayed(tmp_path):
    plan = sim.Trader.plan("me", venue="one", deposit={"USDT": 1})
    result = sim.run(scenario(tmp_path, book=False), traders=[plan])
    folder = result.save(tmp_path / "results", figures=False)
    with pytest.raises(sim.RunError, match="hand-written"):
        sim.replay(folder)


def test_what_is_saved_is_what_was_returned(tmp_path):
    import duckdb

    result = sim.run(scenario(tmp_path))
    folder = result.save(tmp_path / "results", figures=False)
    for name in ("prices", "venues", "liquidations", "price_causes", "cohorts"):
        table = duckdb.sql(f"SELECT * FROM '{folder / name}.parquet'").df()
        frame = getattr(result, name)
        assert list(table) == list(frame)
        assert len(table) == len(frame)
        for column in frame:
            assert table[column].tolist() == frame[column].tolist(), (name, column)
    assert not list(folder.parent.glob(".*"))
