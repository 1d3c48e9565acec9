"""An experiment whose every cell has an answer on paper."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from sim.cli.bundled import bundled_experiments
from sim.experiments.query import ask
from sim.experiments.sweep import sweep

THETA, ACCOUNTS = 0.5, 1_000
"""Largest threshold, and the number of accounts, of ``analytic/linear-cascade.yaml``."""


def test_the_bundled_linear_cascade_meets_its_formula(tmp_path: Path) -> None:
    """D = s / (1 - g) with g = coefficient / THETA, to within half an account's cascade."""
    result = sweep(bundled_experiments()["linear-cascade"], out=tmp_path, workers=1)
    frame = result.frame
    assert len(frame) == 24
    assert result.failures.empty
    fall = -frame["fall"].to_numpy()
    feedback = frame["coefficient"].to_numpy() / THETA
    slack = feedback * THETA / (2 * ACCOUNTS * (1 - feedback)) + 1e-12
    assert (np.abs(frame["drawdown"] - fall / (1 - feedback)) <= slack).all()
    sold = ACCOUNTS * fall / (1 - feedback) / THETA
    assert (np.abs(frame["accounts_liquidated"] - sold) <= ACCOUNTS * slack / THETA + 0.5).all()
    asked = ask(result.folder, "SELECT coefficient, max(drawdown) AS d FROM runs GROUP BY ALL")
    wanted = frame.groupby("coefficient")["drawdown"].max().rename("d").reset_index()
    pd.testing.assert_frame_equal(
        asked.sort_values("coefficient").reset_index(drop=True), wanted, check_dtype=False
    )


def test_replications_of_a_book_without_noise_do_not_differ(tmp_path: Path) -> None:
    """Nothing is drawn: other seeds are other runs with the same figures."""
    text = bundled_experiments()["linear-cascade"].read_text(encoding="utf-8")
    root = bundled_experiments()["linear-cascade"].parents[1]
    file = tmp_path / "e.yaml"
    changed = text.replace("../analytic", str(root / "analytic")) + "replications: 2\n"
    file.write_text(changed.replace("levels: 8", "levels: 2"), encoding="utf-8")
    frame = sweep(file, out=tmp_path, workers=1).frame
    assert frame["run_id"].is_unique
    assert (frame.groupby("cell")["drawdown"].nunique() == 1).all()
