"""The sensitivity of a world with a closed form, run for real, with one worker and with two."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sim.experiments.indices import indices_of
from sim.experiments.plan import prepare
from sim.experiments.sensitivity import sensitivity

LINEAR = Path(__file__).resolve().parents[2] / "scenarios" / "analytic" / "linear-cascade.yaml"
THETA, ACCOUNTS = 0.5, 1000
"""Largest distance to liquidation, and number of accounts, of that world."""

EXPERIMENT = f"""\
schema_version: 1
name: linear
scenario: {LINEAR}
sensitivity: {{kind: sobol, samples: 8, second_order: true, resamples: 50}}
factors:
  - {{path: shocks.0.return, name: s, range: [-0.03, -0.01]}}
  - {{path: markets.0.impact.coefficient, name: impact, range: [0.05, 0.35]}}
metrics:
  - {{name: fall, value: 1 - markets.one/X.final_price}}
"""


@pytest.mark.slow
def test_the_linear_cascade_has_the_indices_of_its_formula(tmp_path: Path) -> None:
    """D = s / (1 - g) with g = impact / theta, met as closely as accounts are many."""
    path = tmp_path / "linear.yaml"
    path.write_text(EXPERIMENT)
    plan = prepare(path)
    results = [
        sensitivity(plan, out=tmp_path / str(workers), workers=workers) for workers in (1, 2)
    ]
    frame = results[0].sweep.frame
    g = frame["impact"] / THETA
    exact = (-frame["s"] / (1 - g)).to_numpy()
    assert np.abs(frame["fall"] - exact).max() <= (g * THETA / (2 * ACCOUNTS * (1 - g))).max()

    assert plan.experiment.sensitivity is not None
    known = indices_of(plan.experiment.sensitivity, ["s", "impact"], [0, 0], exact)
    table = results[0].frame
    for name in ("S1", "ST"):
        assert table[name].tolist() == pytest.approx([row[name] for row in known.rows], abs=0.01)
    assert results[0].interactions["S2"][0] == pytest.approx(known.pairs[0]["S2"], abs=0.02)

    one, two = ({file.name: file.read_bytes() for file in result.save()} for result in results)
    assert one == two
