"""Which waterfalls are refused, and with which words."""

from __future__ import annotations

import pytest

from sim.core.errors import ScenarioError
from sim.schema import load_text, resolved

TEXT = """\
schema_version: 1
name: layers
clock: {{tick: 1s, horizon: 10s}}
assets: {{USDT: {{price: 1}}, BTC: {{price: 100}}}}
venues:
  one:
    margin: {{kind: cross, maintenance_rate: 0.01}}
    waterfall: [{layers}]
markets:
  - {{venue: one, symbol: BTC-PERP, kind: perpetual, base: BTC, quote: USDT,
     impact: {{kind: none}}}}
  - {{venue: one, symbol: BTC-SPOT, kind: spot, base: BTC, quote: USDT, impact: {{kind: none}}}}
"""

FUND = "{kind: insurance_fund, size: 1}"
OWN, SKIN = "{kind: own_contribution}", "{kind: skin_in_the_game, size: 1}"
MEMBERS, ASSESSED = "{kind: default_fund, size: 1}", "{kind: assessments}"
ADL, GAINS = "{kind: adl}", "{kind: gains_haircut}"
SOCIALISE, TEAR, CLEARER = "{kind: socialise}", "{kind: tear_up}", "{kind: clearer}"


def layered(*layers):
    return load_text(TEXT.format(layers=", ".join(layers)), file="t.yaml")


@pytest.mark.parametrize(
    "layers",
    [
        (),
        (CLEARER,),
        (ADL,),
        (FUND, ADL, SOCIALISE),
        (FUND, CLEARER),
        (OWN, SKIN, MEMBERS, ASSESSED, GAINS, TEAR),
        (SKIN, OWN, MEMBERS, FUND, ADL, GAINS, SOCIALISE, CLEARER),
        ("{kind: insurance_fund, sizes: {BTC-PERP: 5}}", CLEARER),
        ("{kind: adl, order: capped_pro_rata, cap: 30%, price: mark}",),
        (FUND, "{kind: adl, trigger: {drawdown: 30%, window: 8h}}"),
    ],
)
def test_good_waterfalls(layers):
    scenario = layered(*layers)
    assert len(scenario.venues["one"].waterfall) == len(layers)
    assert resolved(scenario)  # with the trigger as it was written


@pytest.mark.parametrize(
    ("layers", "place", "words"),
    [
        ((FUND,), "0.kind", ("'insurance_fund' as the last layer", "clearer at the end")),
        ((FUND, SKIN), "1.kind", ("as the last layer", "adl, socialise, tear_up or clearer")),
        ((GAINS,), "0.kind", ("'gains_haircut' as the last layer",)),
        ((ADL, FUND, CLEARER), "1.kind", ("'insurance_fund' after 'adl'", "; adl; ")),
        ((SOCIALISE, ADL), "1.kind", ("'adl' after 'socialise'",)),
        ((GAINS, ADL), "1.kind", ("'adl' after 'gains_haircut'",)),
        ((CLEARER, SOCIALISE), "1.kind", ("'socialise' after 'clearer'",)),
        ((FUND, FUND, CLEARER), "1.kind", ("a second 'insurance_fund'", "once")),
        ((SOCIALISE, TEAR), "1.kind", ("'tear_up' beside 'socialise'", "either")),
        ((TEAR, SOCIALISE), "1.kind", ("'socialise' beside 'tear_up'", "either")),
        ((ADL, TEAR), "1.kind", ("'tear_up' beside 'adl'",)),
        ((OWN, CLEARER), "0.kind", ("'own_contribution' without 'default_fund'",)),
        ((ASSESSED, CLEARER), "0.kind", ("'assessments' without 'default_fund'",)),
        ((MEMBERS, OWN, CLEARER), "1.kind", ("after 'default_fund'", "pays first")),
        (("{kind: insurance_fund}", CLEARER), "0", ("neither size nor sizes",)),
        (
            ("{kind: insurance_fund, size: 1, sizes: {BTC-PERP: 1}}", CLEARER),
            "0",
            ("size and sizes", "either"),
        ),
        (
            ("{kind: insurance_fund, sizes: {BTC-PERP: -1}}", CLEARER),
            "0.sizes.BTC-PERP",
            ("-1", "at least 0"),
        ),
        (
            ("{kind: insurance_fund, sizes: {BTC-PRP: 1}}", CLEARER),
            "0.sizes.BTC-PRP",
            ("unknown contract of 'one' 'BTC-PRP'", "BTC-PERP"),
        ),
        (
            ("{kind: insurance_fund, sizes: {BTC-SPOT: 1}}", CLEARER),
            "0.sizes.BTC-SPOT",
            ("unknown contract",),
        ),
        (("{kind: adl, order: best}",), "0.order", ("best", "hyperliquid")),
        (("{kind: adl, price: last}",), "0.price", ("last", "previous_mark")),
        (("{kind: adl, trigger: never}",), "0.trigger", ("never", "negative_equity")),
        (("{kind: adl, order: capped_pro_rata}",), "0.cap", ("nothing", "a cap")),
        (("{kind: adl, cap: 0.5}",), "0.cap", ("0.5 with the order profit_leverage",)),
        (("{kind: adl, order: capped_pro_rata, cap: 0}",), "0.cap", ("above 0",)),
        (
            ("{kind: adl, trigger: {drawdown: 30%, window: 8h}}",),
            "0.trigger",
            ("no fund before it", "insurance_fund"),
        ),
        (
            (FUND, "{kind: adl, trigger: {drawdown: 130%, window: 8h}}"),
            "1.trigger.drawdown",
            ("130%", "at most 1"),
        ),
        ((FUND, "{kind: adl, trigger: {drawdown: 30%}}"), "1.trigger.window", ("window",)),
        (("{kind: skin_in_the_game, size: -1}", CLEARER), "0.size", ("-1", "at least 0")),
        (
            (MEMBERS, "{kind: assessments, multiple: 0}", CLEARER),
            "1.multiple",
            ("above 0",),
        ),
        (("{kind: socialise, basis: counterparty}",), "0.basis", ("counterparties",)),
        (("{kind: clearing}",), "0.kind", ("clearing", "clearer")),
    ],
)
def test_refused_waterfalls(layers, place, words):
    with pytest.raises(ScenarioError) as refused:
        layered(*layers)
    text = str(refused.value)
    assert f"venues.one.waterfall.{place}:" in text
    for word in words:
        assert word in text, text
