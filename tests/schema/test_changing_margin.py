"""Risk models and stress multipliers that must be refused, with the place and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.schema import load_text
from tests.schema.base import GOOD, Broken, problems, write_book

RATE = "initial_rate: 1%\n      maintenance_rate: 50bps\n"
MODEL, STRESS = "venues.beta.margin.risk_model", "venues.beta.margin.stress"


def model(keys: str, path: str, at: str, *parts: str) -> Broken:
    """Return a venue with a broken risk model."""
    new = f"risk_model: {{kind: ewma, {keys}}}\n"
    return Broken(RATE, new, f"{MODEL}.{path}" if path else MODEL, at, parts)


def stress(keys: str, path: str, at: str, *parts: str) -> Broken:
    """Return a venue with broken multipliers."""
    return Broken(RATE, f"{RATE}      stress: {{{keys}}}\n", f"{STRESS}.{path}", at, parts)


STEP = "steps: [{volatility: 1, multiplier: 2}]"

CASES = {
    "decay of one": model("decay: 1", "decay", "1}", "below 1"),
    "decay of zero": model("decay: 0", "decay", "0}", "above 0"),
    "quantile of a half": model("quantile: 50%", "quantile", "50%", "above 0.5"),
    "quantile of one": model("quantile: 1", "quantile", "1}", "below 1"),
    "negative buffer": model("buffer: -10%", "buffer", "-10%", "at least 0"),
    "initial below maintenance": model(
        "initial_multiple: 0.5", "initial_multiple", "0.5", "at least 1"
    ),
    "sample longer than every": model(
        "sample: 2d", "sample", "2d", "172800 s", "at most `every`, 86400 s"
    ),
    "sample off the ticks": model(
        "sample: 1500ms", "sample", "1500ms", "1.5 s", "a multiple of the tick, 1 s"
    ),
    "every off the ticks": model(
        "sample: 1s, every: 2500ms", "every", "2500ms", "2.5 s", "a multiple of the tick, 1 s"
    ),
    "start volatility of zero": model(
        "start_volatility: 0", "start_volatility", "0}", "a volatility above 0"
    ),
    "start volatility of zero for one asset": model(
        "start_volatility: {ETH: 0}", "start_volatility.ETH", "0}", "a volatility above 0"
    ),
    "start volatility of an unknown asset": model(
        "start_volatility: {ETG: 1}", "start_volatility.ETG", "1}", "did you mean 'ETH'"
    ),
    "floor of zero": model("floor_volatility: 0", "floor_volatility", "0}", "a volatility above 0"),
    "weight without a stressed volatility": model(
        "stressed_weight: 25%", "stressed_weight", "25%", "no stressed_volatility", "both"
    ),
    "stressed volatility without a weight": model(
        "stressed_volatility: 2", "stressed_volatility", "2}", "no stressed_weight", "both"
    ),
    "stressed volatility of one asset only": model(
        "stressed_weight: 25%, stressed_volatility: {ETH: 2}",
        "stressed_volatility",
        "{ETH: 2}",
        "none for BTC",
        "one for every base asset",
    ),
    "unknown model": Broken(
        RATE,
        "risk_model: {kind: garch}\n",
        f"{MODEL}.kind",
        "garch",
        ("'garch'", "ewma"),
    ),
    "model beside a rate": Broken(
        RATE,
        "maintenance_rate: 50bps\n      risk_model: {kind: ewma}\n",
        "venues.beta.margin.maintenance_rate",
        "50bps",
        ("maintenance_rate beside a risk_model", "either a risk_model", "or rates and tiers"),
    ),
    "model beside an initial rate": Broken(
        RATE,
        "initial_rate: 1%\n      risk_model: {kind: ewma}\n",
        "venues.beta.margin.initial_rate",
        "1%",
        ("initial_rate beside a risk_model", "initial ones by its initial_multiple"),
    ),
    "model beside tiers": Broken(
        "kind: isolated\n",
        "kind: isolated\n      risk_model: {kind: ewma}\n",
        "venues.gamma.margin.tiers",
        "- {floor: 0",
        ("tiers beside a risk_model", "either a risk_model"),
    ),
    "no steps": stress("steps: []", "steps", "[]}", "at least 1"),
    "multiplier below one": stress(
        "steps: [{volatility: 1, multiplier: 0.9}]",
        "steps.0.multiplier",
        "0.9",
        "at least 1",
    ),
    "step at zero": stress(
        "steps: [{volatility: 0, multiplier: 2}]", "steps.0.volatility", "0,", "above 0"
    ),
    "steps out of order": stress(
        "steps: [{volatility: 2, multiplier: 2}, {volatility: 1, multiplier: 3}]",
        "steps.1.volatility",
        "1, multiplier: 3",
        "more than the step before it, 2",
    ),
    "multipliers that fall": stress(
        "steps: [{volatility: 1, multiplier: 3}, {volatility: 2, multiplier: 2}]",
        "steps.1.multiplier",
        "2}]",
        "at least that of the step before it, 3",
    ),
    "stress sampled off the ticks": stress(
        f"window: 3s, sample: 1500ms, {STEP}", "sample", "1500ms", "a multiple of the tick, 1 s"
    ),
    "window that is no multiple of the sample": stress(
        f"window: 90s, {STEP}", "window", "90s", "a multiple of the sample, 60 s"
    ),
    "window shorter than the sample": stress(
        f"window: 30s, {STEP}", "window", "30s", "a multiple of the sample, 60 s"
    ),
    "window of too many samples": stress(
        f"window: 1d, sample: 1s, {STEP}", "window", "1d", "86,400 samples", "at most 10,000"
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_is_refused_with_its_place(case: Broken) -> None:
    found = problems(case.text())
    assert [problem.path for problem in found] == [case.path]
    message = str(found[0])
    for part in case.parts:
        assert part in message, message
    assert (found[0].line, found[0].column) == case.place(), message


def test_a_market_needs_a_volatility_to_start_with() -> None:
    text = GOOD.replace(RATE, "risk_model: {kind: ewma}\n")
    found = problems(text.replace("121000, volatility: 0.45", "121000"))
    messages = {problem.path: str(problem) for problem in found}
    message = messages["venues.beta.margin.risk_model.start_volatility"]
    assert "none for BTC, and BTC has volatility 0" in message
    assert "a volatility above 0 here, or in assets.BTC" in message


def test_a_model_may_stand_where_a_preset_has_tiers(tmp_path: Path) -> None:
    model = "{tiers: null, maintenance_rate: null, risk_model: {kind: ewma}}"
    text = GOOD.replace("binance-usdm\n", f"binance-usdm\n    margin: {model}\n")
    write_book(tmp_path)
    margin = load_text(text, "case.yaml", base_dir=tmp_path).venues["alpha"].margin
    assert margin is not None
    assert margin.risk_model is not None
    assert margin.tiers is None
