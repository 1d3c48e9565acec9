"""Bundled venues: complete, sourced, continuous, and whole venues by themselves."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from sim.core.errors import ScenarioError
from sim.schema import (
    PresetNotes,
    Tier,
    Venue,
    list_presets,
    list_versions,
    load,
    load_mapping,
    load_text,
    preset,
    preset_notes,
    resolved,
)
from sim.schema.liquidation import FullLiquidation
from sim.schema.margin import continuous_deductions
from sim.schema.preset_notes import without_source
from sim.schema.presets import merge_preset
from tests.schema.base import GOOD

NAMES = (
    "aave-v3", "binance-usdm", "bitmex", "bybit-uta", "cme-futures", "compound-v3", "crvusd",
    "deribit", "drift", "dydx-v4", "gmx-v2", "hyperliquid", "kraken-futures", "maker-sky",
    "morpho-blue", "okx", "synthetix", "us-equities",
)  # fmt: skip
VERSIONS = [version for name in NAMES for version in list_versions(name)]
MARGINED = {
    (name, base): tiers
    for name in NAMES
    for base, tiers in (preset(name)["margin"].get("tiers") or {}).items()
}


def maintenance(tiers: list[Tier], notional: float) -> float:
    """Return the maintenance margin of a notional [quote]."""
    deductions = continuous_deductions(tiers)
    tier, deduction = max(
        (pair for pair in zip(tiers, deductions, strict=True) if pair[0].floor <= notional),
        key=lambda pair: pair[0].floor,
    )
    return notional * tier.rate - deduction


def ladder(name: str, base: str) -> list[Tier]:
    """Return the tiers of a preset."""
    margin = Venue(preset=name).margin
    assert margin is not None
    tiers = margin.ladder(base, f"{base}-PERP")
    assert tiers is not None
    return tiers


def test_names() -> None:
    """Every venue is bundled."""
    assert list_presets() == NAMES


@pytest.mark.parametrize("name", VERSIONS)
def test_every_figure_has_a_source(name: str) -> None:
    """Each number of the rules cites a source that is there, and every cite leads to a place."""
    assert without_source(name) == []


@pytest.mark.parametrize("name", VERSIONS)
def test_preset_says_what_it_is(name: str) -> None:
    """The notes are sentences; what nobody published is marked as assumed or from memory."""
    notes = preset_notes(name)
    for texts in (notes.modelled, notes.simplified, notes.unknown):
        assert all(len(text) > 10 for text in texts)
    assert all(len(source.text) > 10 for source in notes.sources.values())


def test_a_figure_without_a_source_is_found() -> None:
    """The check that all presets pass does find what is missing."""
    notes = preset_notes("binance-usdm")
    assert notes.source_of("liquidation.fee_bps") == "exchange_info"
    assert notes.source_of("liquidation.drop") == "process"
    assert notes.source_of("liquidations") is None
    data = preset("okx")["meta"]
    data["cites"]["mark"] = "nobody"
    with pytest.raises(ValidationError, match="source 'nobody'"):
        PresetNotes.model_validate(data)
    data["cites"]["mark"] = "ours"
    data["sources"]["idle"] = {"text": "a page", "as_of": "2026", "seen": "stored"}
    with pytest.raises(ValidationError, match="nothing cites"):
        PresetNotes.model_validate(data)


def test_versions() -> None:
    """A version differs from the newest in what it states, and goes by its date."""
    assert list_versions("binance-usdm") == ("binance-usdm@2025-09-17", "binance-usdm@2026-09-29")
    old, new = Venue(preset="binance-usdm@2025-09-17"), Venue(preset="binance-usdm")
    windows = [[part.window for part in venue.mark.of if part.kind == "twap"]
               for venue in (old, new)]  # type: ignore[union-attr]  # fmt: skip
    assert windows == [[150.0], [30.0]]
    assert old.margin == new.margin
    pinned = Venue(preset="binance-usdm@2026-09-29").model_dump(exclude={"preset"})
    assert pinned == new.model_dump(exclude={"preset"})
    with pytest.raises(ScenarioError, match="binance-usdm@2025-09-17, binance-usdm@2026-09-29"):
        preset("binance-usdm@2025-09-18")
    with pytest.raises(ValidationError, match="binance-usdm@2025-09-17"):
        Venue(preset="binance-usdm@2020-01-01")


@pytest.mark.parametrize("name", NAMES)
def test_preset_is_a_whole_venue(name: str) -> None:
    """A preset alone is a venue, whose waterfall has an end."""
    venue = Venue(preset=name)
    assert venue.margin is not None
    assert venue.waterfall


@pytest.mark.parametrize(("name", "base"), MARGINED)
def test_margin_is_continuous_and_convex(name: str, base: str) -> None:
    """Maintenance margin has no jump at a floor and never falls below the rate's share."""
    tiers = ladder(name, base)
    for before, tier in pairwise(tiers):
        at = maintenance(tiers, tier.floor)
        below = maintenance(tiers, tier.floor * (1 - 1e-12))
        assert at == pytest.approx(below, rel=1e-9)
        assert before.rate <= tier.rate
        if tier.max_leverage is not None:
            assert at / tier.floor < 1 / tier.max_leverage


def test_binance_isolated_long() -> None:
    """10 BTC long at 100,000 with 20x break at 95,470.56, where equity is 4,705.59.

    Binance FAQ b3c689c1f50a44cabb3a84e663b81d93, one-way isolated:
    ``(wallet + deduction - side * q * entry) / (q * (rate - side))`` in the tier of the result.
    """
    tiers = ladder("binance-usdm", "BTC")
    tier = tiers[2]
    assert (tier.floor, tier.deduction) == (800_000, 1_500)
    price = (50_000 + 1_500 - 10 * 100_000) / (10 * (tier.rate - 1))
    assert price == pytest.approx(95_470.56, abs=0.005)
    assert maintenance(tiers, 10 * price) == pytest.approx(4_705.59, abs=0.005)
    assert 50_000 + 10 * (price - 100_000) == pytest.approx(4_705.59, abs=0.005)


@pytest.mark.parametrize(
    ("base", "notional", "margin"),
    [("BTC", 200e6, 3_125_000.0), ("ETH", 150e6, 3_666_666.666667), ("SOL", 1e6, 25_000.0)],
)
def test_hyperliquid_margin(base: str, notional: float, margin: float) -> None:
    """Rate 0.5 / leverage of the tier, deduction continuous (Hyperliquid docs, margin tiers)."""
    assert maintenance(ladder("hyperliquid", base), notional) == pytest.approx(margin)


def test_own_keys_win() -> None:
    """Mappings are merged in depth, lists replaced."""
    venue = Venue.model_validate(
        {
            "preset": "binance-usdm",
            "margin": {"tiers": {"BTC": [{"floor": 0, "rate": 0.01}]}, "initial_rate": 0.05},
            "liquidation": {"latency": "2s"},
            "waterfall": [{"kind": "socialise"}],
        }
    )
    assert venue.margin is not None
    assert isinstance(venue.margin.tiers, dict)
    assert [tier.rate for tier in venue.margin.tiers["BTC"]] == [0.01]
    assert len(venue.margin.tiers["ETH"]) == 12
    assert (venue.liquidation.latency, venue.liquidation.fee_bps) == (2.0, 125.0)
    assert [layer.kind for layer in venue.waterfall] == ["socialise"]


def test_another_kind_drops_the_preset_of_that_block() -> None:
    """Keys of one variant are not mixed into another."""
    venue = Venue.model_validate(
        {"preset": "hyperliquid", "liquidation": {"kind": "full"}, "mark": {"kind": "last"}}
    )
    assert venue.liquidation == FullLiquidation()
    assert venue.mark.model_dump() == {"kind": "last"}


def test_margin_mode_keeps_the_tiers() -> None:
    """Isolated margin at a venue is on the same tiers."""
    venue = Venue.model_validate({"preset": "binance-usdm", "margin": {"kind": "isolated"}})
    assert venue.margin is not None
    assert venue.margin.kind == "isolated"
    assert venue.margin.tiers is not None


def test_merging_leaves_preset_and_user_alone() -> None:
    """A preset is the same after it was merged and changed."""
    before = preset("okx")
    own: dict[str, Any] = {"preset": "okx", "margin": {"kind": "isolated"}}
    merged = merge_preset(own)
    merged["margin"]["kind"] = "portfolio"
    merged.pop("mark")
    preset("okx")["margin"].clear()
    assert preset("okx") == before
    assert own == {"preset": "okx", "margin": {"kind": "isolated"}}


def test_resolved_scenario_needs_no_preset() -> None:
    """A manifest holds the rules themselves, and only those of assets in use."""
    scenario = load_text(GOOD)
    data = resolved(scenario)
    alpha = data["venues"]["alpha"]
    assert alpha["preset"] is None
    assert set(alpha["margin"]["tiers"]) == {"BTC", "ETH"}
    assert set(alpha["collateral"]) == {"BTC", "ETH"}
    again = load_mapping(data)
    assert resolved(again) == data


def test_unknown_preset() -> None:
    """The nearest name is the hint."""
    with pytest.raises(ScenarioError, match="did you mean 'hyperliquid'"):
        preset("hyperliqud")


def test_resolved_steps_of_a_preset_may_meet_one_tier() -> None:
    """A venue of the flagship goes down tiers of which its markets have one: replay reads it."""
    scenario = load(Path(__file__).parents[2] / "scenarios" / "october-2025.yaml")
    data = resolved(scenario)
    assert data["venues"]["bybit"]["liquidation"]["kind"] == "tier_steps"
    assert resolved(load_mapping(data)) == data
