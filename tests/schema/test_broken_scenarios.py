"""Scenarios that must be refused: each names its path, line, column, what is found and allowed."""

from __future__ import annotations

import pytest

from tests.schema.base import GOOD, Broken, problems

TIERS = "- {floor: 800_000, rate: 0.0065}"
JUMP = "{kind: jump, at: 5min, asset: BTC, return: -12%}"
LINEAR = "{kind: linear, depth: 5e8, resilience_half_life: 10min}"
ARBITRAGE = "{kind: arbitrage, asset: ETH, venues: [beta, gamma], time_constant: 30s}"
GBM = '{kind: gbm, assets: [BTC, ETH], correlation: {"BTC,ETH": 0.8}}'

CASES = {
    # keys
    "unknown key at the top": Broken(
        "seed: 7", "sede: 7", "sede", "sede", ("unknown key 'sede'", "'seed'", "markets")
    ),
    "unknown key deep down": Broken(
        "depth: 5e8",
        "dept: 5e8",
        "markets.1.impact.dept",
        "dept",
        ("unknown key 'dept'", "coefficient, depth, band", "did you mean 'depth'"),
    ),
    "unknown key named like its variant": Broken(
        "{kind: linear,",
        "{kind: linear, linear: 1,",
        "markets.1.impact.linear",
        "linear: 1",
        ("unknown key 'linear'",),
    ),
    "attribute name instead of the key": Broken(
        "return: -12%", "return_: -12%", "shocks.0.return_", "return_", ("did you mean 'return'",)
    ),
    "missing key": Broken(
        ", quote: USDT,\n     impact: {kind: linear",
        ",\n     impact: {kind: linear",
        "markets.1.quote",
        "{venue: beta, symbol: BTC-PERP",
        ("nothing", "'quote' is required"),
    ),
    "missing block": Broken("tick: 1s, ", "", "clock.tick", "clock", ("'tick' is required",)),
    "duplicate key": Broken(
        "beta: 0.3",
        "beta: 0.3, beta: 0.1",
        "beta",
        "beta: 0.1",
        ("'beta' a second time", "each key once"),
    ),
    "nothing for a number": Broken(
        "seed: 7", "seed: null", "seed", "null", ("nothing", "a whole number")
    ),
    "book with an unknown key": Broken(
        "accounts: book/accounts.csv",
        "account: book/accounts.csv",
        "traders.2.book.account",
        "account:",
        ("did you mean 'accounts'",),
    ),
    # kinds
    "unknown kind": Broken(
        "kind: linear",
        "kind: linaer",
        "markets.1.impact.kind",
        "linaer",
        ("'linaer'", "linear, square_root, exponential, power", "did you mean 'linear'"),
    ),
    "no kind": Broken(
        "{kind: none}",
        "{}",
        "markets.4.impact.kind",
        "impact: {}",
        ("nothing", "none, ", "linear, "),
    ),
    "kind in the wrong case": Broken(
        "kind: jump,", "kind: Jump,", "shocks.0.kind", "Jump", ("did you mean 'jump'",)
    ),
    "unknown distribution": Broken(
        "dist: pareto",
        "dist: paretto",
        "traders.0.equity.dist",
        "paretto",
        ("constant, uniform, lognormal, pareto, empirical", "did you mean 'pareto'"),
    ),
    "unknown kind of market": Broken(
        "kind: spot", "kind: option", "markets.4.kind", "option", ("perpetual, future, spot",)
    ),
    "unknown margin kind": Broken(
        "kind: isolated",
        "kind: portfolio",
        "venues.gamma.margin.kind",
        "portfolio",
        ("cross, isolated",),
    ),
    "unknown behaviour": Broken(
        "kind: stop_loss",
        "kind: stoploss",
        "traders.0.behaviour.kind",
        "stoploss",
        ("did you mean 'stop_loss'",),
    ),
    "nested median": Broken(
        "{kind: index, method: median, weights: {alpha: 2, beta: 1}}",
        "{kind: median_of, of: [{kind: last}, {kind: median_of, of: []}]}",
        "venues.beta.mark.of.1.kind",
        "median_of, of: []",
        ("last, index, ema, twap",),
    ),
    "median of one": Broken(
        "{kind: index, method: median, weights: {alpha: 2, beta: 1}}",
        "{kind: median_of, of: [{kind: last}]}",
        "venues.beta.mark.of",
        "[{kind: last}]",
        ("a list of 1", "at least 2 entries"),
    ),
    # shapes
    "text for a mapping": Broken(
        "impact: {kind: none}",
        "impact: none",
        "markets.4.impact",
        "none}",
        ("'none'", "a mapping with the key 'kind': none, "),
    ),
    "mapping for a list": Broken(
        "portfolio: {BTC: 1, ETH-PERP: 2}",
        "portfolio: [BTC]",
        "traders.0.portfolio",
        "[BTC]",
        ("a list of 1", "a mapping"),
    ),
    "number for text": Broken(
        "symbol: ETH-FUT", "symbol: 1000", "markets.3.symbol", "1000", ("1000", "text")
    ),
    "word for a switch": Broken(
        "margin_check: full",
        "margin_check: full, check: yes",
        "engine.check",
        "yes",
        ("'yes'", "true or false"),
    ),
    "word for a number": Broken(
        "count: 100_000", "count: many", "traders.0.count", "many", ("'many'", "a whole number")
    ),
    "half a trader": Broken(
        "count: 10\n", "count: 10.5\n", "traders.1.count", "10.5", ("10.5", "a whole number")
    ),
    "switch for a number": Broken(
        "depth: 5e8", "depth: true", "markets.1.impact.depth", "true", ("true", "a number")
    ),
    # numbers and units
    "unit of a duration": Broken(
        "horizon: 30min",
        "horizon: 30m",
        "clock.horizon",
        "30m,",
        ("unknown unit 'm'", "ms, s, min, h, d"),
    ),
    "percent of a number": Broken(
        "depth: 5e8", "depth: 5%", "markets.1.impact.depth", "5%", ("'5%'", "a number such as")
    ),
    "NaN": Broken(
        "return: -12%", "return: .nan", "shocks.0.return", ".nan", ("nan", "must be finite")
    ),
    "infinity": Broken(
        "price: 121000", "price: .inf", "assets.BTC.price", ".inf", ("inf", "must be finite")
    ),
    "NaN as text": Broken(
        "price: 121000", "price: nan", "assets.BTC.price", "nan", ("'nan'", "a number such as")
    ),
    "too large a number": Broken(
        "price: 121000", "price: 1e999", "assets.BTC.price", "1e999", ("inf", "must be finite")
    ),
    "negative depth": Broken(
        "depth: 5e8", "depth: -5e8", "markets.1.impact.depth", "-5e8", ("a number above 0",)
    ),
    "price of zero": Broken(
        "price: 121000", "price: 0", "assets.BTC.price", "0", ("found 0", "a number above 0")
    ),
    "negative volatility": Broken(
        "volatility: 0.45",
        "volatility: -0.45",
        "assets.BTC.volatility",
        "-0.45",
        ("of at least 0",),
    ),
    "haircut of all": Broken(
        "haircut: 5%", "haircut: 100%", "assets.ETH.haircut", "100%", ("a number below 1",)
    ),
    "venue haircut above one": Broken(
        "collateral: {ETH: 0.1}",
        "collateral: {ETH: 1.5}",
        "venues.beta.collateral.ETH",
        "1.5",
        ("1.5", "0 to below 1"),
    ),
    "rate in percent without the sign": Broken(
        "maintenance_rate: 50bps",
        "maintenance_rate: 5",
        "venues.beta.margin.maintenance_rate",
        "5\n",
        ("a number below 1",),
    ),
    "negative seed": Broken("seed: 7", "seed: -7", "seed", "-7", ("of at least 0",)),
    "more traders than a machine holds": Broken(
        "count: 10\n", "count: 1e12\n", "traders.1.count", "1e12", ("of at most 1e+08",)
    ),
    "a run without end": Broken(
        "horizon: 30min", "horizon: 1e6d", "clock.horizon", "1e6d", ("at most 100,000,000 ticks",)
    ),
    "switch for the version": Broken(
        "schema_version: 1", "schema_version: true", "schema_version", "true", ("true", "1")
    ),
    "number for a key": Broken(
        "clock: {tick", "clock: {1: 2, tick", "clock.1", "1: 2", ("unknown key", "tick, horizon")
    ),
    "negative count": Broken(
        "count: 10\n", "count: -10\n", "traders.1.count", "-10", ("of at least 0",)
    ),
    "long share above one": Broken(
        "margin_mode: {cross",
        "long_share: 65\n    margin_mode: {cross",
        "traders.0.long_share",
        "65",
        ("of at most 1",),
    ),
    "total loss": Broken(
        "return: -12%", "return: -100%", "shocks.0.return", "-100%", ("a number above -1",)
    ),
    # names
    "name with spaces": Broken(
        "name: two-venues", "name: Two Venues", "name", "Two", ("small letters",)
    ),
    "path as name": Broken("name: two-venues", "name: ../x", "name", "../x", ("small letters",)),
    "venue with a slash": Broken(
        "  gamma:\n", "  gam/ma:\n", "venues.gam/ma", "gam/ma", ("'gam/ma'", "letters, digits")
    ),
    "symbol with a slash": Broken(
        "symbol: ETH-FUT", "symbol: ETH/FUT", "markets.3.symbol", "ETH/FUT", ("letters, digits",)
    ),
    "version of the future": Broken(
        "schema_version: 1", "schema_version: 2", "schema_version", "2", ("found 2", "1")
    ),
    # time
    "horizon of half a tick": Broken(
        "horizon: 30min", "horizon: 500ms", "clock.horizon", "500ms", ("0.5", "whole number")
    ),
    "horizon between ticks": Broken(
        "tick: 1s", "tick: 7s", "clock.horizon", "30min", ("257.143 ticks", "whole number")
    ),
    "recording between ticks": Broken(
        "every: 10s", "every: 1.5s", "record.every", "1.5s", ("1.5 s", "a multiple of 1 s")
    ),
    "recording beyond the run": Broken(
        "every: 10s", "every: 1h", "record.every", "1h", ("3600 s", "the horizon, 1800 s")
    ),
    "no date": Broken(
        "start: 2025-10-10T20:50:00Z",
        "start: yesterday",
        "clock.start",
        "yesterday",
        ("ISO-8601",),
    ),
    "shock at the horizon": Broken(
        "at: 5min, asset: BTC",
        "at: 30min, asset: BTC",
        "shocks.0.at",
        "30min",
        ("1800 s", "before the horizon, 1800 s"),
    ),
    "shock that ends before it begins": Broken(
        "until: 10min", "until: 5min", "shocks.2.until", "5min, factor", ("after 'at', 300 s",)
    ),
    "unknown margin check": Broken(
        "margin_check: full",
        "margin_check: dew",
        "engine.margin_check",
        "dew",
        ("due",),
    ),
    # venues
    "unknown preset": Broken(
        "preset: binance-usdm",
        "preset: binance-usm",
        "venues.alpha.preset",
        "binance-usm",
        ("'binance-usm'", "hyperliquid", "did you mean 'binance-usdm'"),
    ),
    "mistake over a preset": Broken(
        "{latency: 2s}",
        "{latency: -2s}",
        "venues.alpha.liquidation.latency",
        "-2s",
        ("of at least 0",),
    ),
    "no margin": Broken(
        "    preset: binance-usdm\n    liquidation: {latency: 2s}\n",
        "    mark: {kind: last}\n",
        "venues.alpha.margin",
        "alpha:\n",
        ("nothing", "margin rules, or a preset"),
    ),
    "no rate": Broken(
        "      maintenance_rate: 50bps\n",
        "",
        "venues.beta.margin",
        "kind: cross\n      initial_rate: 1%\n",
        ("neither maintenance_rate nor tiers",),
    ),
    "initial below maintenance": Broken(
        "initial_rate: 1%",
        "initial_rate: 0.1%",
        "venues.beta.margin.initial_rate",
        "0.1%",
        ("0.001", "at least the maintenance_rate, 0.005"),
    ),
    "leverage beyond the maintenance rate of its tier": Broken(
        TIERS,
        "- {floor: 800_000, rate: 0.0065, max_leverage: 200}",
        "venues.gamma.margin.tiers.2.max_leverage",
        "200",
        ("an initial rate of 0.005", "at most 153.846, the inverse of the maintenance rate"),
    ),
    "call target below its level": Broken(
        "target: 2}",
        "target: 1.2}",
        "venues.beta.margin.call.target",
        "1.2",
        ("at least the level, 1.5",),
    ),
    "call level of one": Broken(
        "level: 1.5", "level: 1", "venues.beta.margin.call.level", "1,", ("a number above 1",)
    ),
    "first tier above zero": Broken(
        "{floor: 0, rate: 0.004}",
        "{floor: 1, rate: 0.004}",
        "venues.gamma.margin.tiers.0.floor",
        "1,",
        ("0 for the first tier",),
    ),
    "tiers out of order": Broken(
        TIERS,
        "- {floor: 200_000, rate: 0.0065}",
        "venues.gamma.margin.tiers.2.floor",
        "200_000",
        ("more than the floor before it, 300000",),
    ),
    "tier rate falls": Broken(
        TIERS,
        "- {floor: 800_000, rate: 0.0045}",
        "venues.gamma.margin.tiers.2.rate",
        "0.0045",
        ("at least the rate before it, 0.005",),
    ),
    "tier leverage rises": Broken(
        TIERS,
        "- {floor: 8e5, rate: 0.0065, max_leverage: 50}\n"
        "        - {floor: 9e5, rate: 0.01, max_leverage: 75}",
        "venues.gamma.margin.tiers.3.max_leverage",
        "75",
        ("at most the leverage before it, 50",),
    ),
    "tiers with a gap": Broken(
        "deduction: 300}",
        "deduction: 310}",
        "venues.gamma.margin.tiers.1.deduction",
        "310",
        ("310", "300, which keeps the margin continuous"),
    ),
    "no tiers": Broken(
        "tiers:\n        - {floor: 0, rate: 0.004}\n"
        "        - {floor: 300_000, rate: 0.005, deduction: 300}\n        " + TIERS,
        "tiers: []",
        "venues.gamma.margin.tiers",
        "[]",
        ("at least one tier",),
    ),
    "ladder for nothing": Broken(
        "tiers:\n        - {floor: 0, rate: 0.004}\n"
        "        - {floor: 300_000, rate: 0.005, deduction: 300}\n        " + TIERS,
        "tiers: {ETH: [{floor: 0, rate: 0.01}], ETHH: [{floor: 0, rate: 0.01}]}",
        "venues.gamma.margin.tiers.ETHH",
        "[{floor: 0, rate: 0.01}]}",
        ("unknown base or symbol 'ETHH'", "did you mean 'ETH'"),
    ),
    "market without a ladder": Broken(
        "tiers:\n        - {floor: 0, rate: 0.004}\n"
        "        - {floor: 300_000, rate: 0.005, deduction: 300}\n        " + TIERS,
        "tiers: {BTC: [{floor: 0, rate: 0.01}]}",
        "venues.gamma.margin.tiers",
        "{BTC",
        ("no tiers for ETH-FUT (base ETH)", "maintenance_rate for all other"),
    ),
    "waterfall out of order": Broken(
        "- {kind: insurance_fund, size: 5e7}\n      - {kind: adl}",
        "- {kind: adl}\n      - {kind: insurance_fund, size: 5e7}",
        "venues.beta.waterfall.1.kind",
        "insurance_fund",
        ("'insurance_fund' after 'adl'", "assessments; adl; gains_haircut; socialise"),
    ),
    "layer twice": Broken(
        "- {kind: adl}",
        "- {kind: insurance_fund, size: 1}",
        "venues.beta.waterfall.1.kind",
        "insurance_fund, size: 1",
        ("a second 'insurance_fund'",),
    ),
    "negative fund": Broken(
        "size: 5e7", "size: -5e7", "venues.beta.waterfall.0.size", "-5e7", ("of at least 0",)
    ),
    "slice of nothing": Broken(
        "slice: 20%", "slice: 0%", "venues.beta.liquidation.slice", "0%", ("above 0",)
    ),
    "target below maintenance": Broken(
        "slice: 20%",
        "target_ratio: 0.9",
        "venues.beta.liquidation.target_ratio",
        "0.9",
        ("of at least 1",),
    ),
    "index of an unknown venue": Broken(
        "weights: {alpha: 2",
        "weights: {alhpa: 2",
        "venues.beta.mark.weights.alhpa",
        "2, beta",
        ("unknown venue 'alhpa'", "did you mean 'alpha'"),
    ),
    "negative index weight": Broken(
        "beta: 1}}", "beta: -1}}", "venues.beta.mark.weights.beta", "-1", ("0 or more",)
    ),
    "index weights of zero": Broken(
        "weights: {alpha: 2, beta: 1}",
        "weights: {alpha: 0, beta: 0}",
        "venues.beta.mark.weights",
        "{alpha",
        ("sum to 0", "a positive sum"),
    ),
    "unknown collateral": Broken(
        "collateral: {ETH: 0.1}",
        "collateral: {ETHE: 0.1}",
        "venues.beta.collateral.ETHE",
        "0.1",
        ("unknown asset 'ETHE'", "did you mean 'ETH'"),
    ),
    # markets
    "market on an unknown venue": Broken(
        "{venue: gamma, symbol: ETH-SPOT",
        "{venue: gama, symbol: ETH-SPOT",
        "markets.4.venue",
        "gama",
        ("unknown venue 'gama'", "alpha, beta, gamma", "did you mean 'gamma'"),
    ),
    "market of an unknown asset": Broken(
        "kind: spot, base: ETH",
        "kind: spot, base: ETC",
        "markets.4.base",
        "ETC",
        ("unknown asset 'ETC'", "BTC, ETH, USDT"),
    ),
    "market in itself": Broken(
        "kind: spot, base: ETH, quote: USDT",
        "kind: spot, base: ETH, quote: ETH",
        "markets.4.quote",
        "ETH, impact",
        ("the base itself", "other than the base"),
    ),
    "open interest of a spot market": Broken(
        "impact: {kind: none}",
        "open_interest: 1e9, impact: {kind: none}",
        "markets.4.open_interest",
        "1e9",
        ("in a spot market", "perpetuals and futures"),
    ),
    "duplicate market": Broken(
        "symbol: ETH-SPOT",
        "symbol: ETH-FUT",
        "markets.4.symbol",
        "ETH-FUT, kind: spot",
        ("a second market gamma/ETH-FUT", "first in markets.3"),
    ),
    "two scales of impact": Broken(
        LINEAR,
        "{kind: linear, depth: 5e8, coefficient: 1}",
        "markets.1.impact",
        "{kind: linear",
        ("both of coefficient and depth", "exactly one"),
    ),
    "no scale of impact": Broken(
        LINEAR,
        "{kind: linear}",
        "markets.1.impact",
        "{kind: linear",
        ("neither of coefficient and depth", "exactly one"),
    ),
    "impact without volatility": Broken(
        "BTC: {price: 121000, volatility: 0.45}",
        "BTC: {price: 121000}",
        "markets.0.impact.sigma",
        "impact: {kind: square_root",
        ("no sigma, and BTC has volatility 0", "assets.BTC"),
    ),
    "floor above the price": Broken(
        "floor: 10,",
        "floor: 5000,",
        "markets.3.impact.floor",
        "5000",
        ("less than the price of the market, 4300",),
    ),
    "coupling of one venue": Broken(
        "venues: [beta, gamma]",
        "venues: [beta]",
        "coupling.1.venues",
        "[beta]",
        ("ETH on 1 venue(s)", "at least two venues"),
    ),
    "coupling where nothing is listed": Broken(
        "venues: [beta, gamma]",
        "venues: [beta, alpha]",
        "coupling.1.venues.1",
        "alpha",
        ("'alpha', which lists no market of ETH", "beta, gamma"),
    ),
    "arbitrage without speed": Broken(
        ARBITRAGE,
        "{kind: arbitrage, asset: ETH}",
        "coupling.1",
        "{kind: arbitrage",
        ("neither kappa nor time_constant",),
    ),
    # traders
    "cohort on an unknown venue": Broken(
        "venues: {gamma: 1}",
        "venues: {gama: 1}",
        "traders.1.venues.gama",
        "1}",
        ("unknown venue 'gama'", "did you mean 'gamma'"),
    ),
    "portfolio nobody lists": Broken(
        "portfolio: {BTC: 1, ETH-PERP: 2}",
        "portfolio: {BTC: 1, ETH-PREP: 2}",
        "traders.0.portfolio.ETH-PREP",
        "2}",
        ("'ETH-PREP'", "did you mean 'ETH-PERP'"),
    ),
    "portfolio of spot": Broken(
        "venues: {gamma: 1}",
        "venues: {gamma: 1}\n    portfolio: {ETH: 1, ETH-SPOT: 1}",
        "traders.1.portfolio.ETH-SPOT",
        "1}\n    behaviour",
        ("no venue of the cohort lists",),
    ),
    "share of zero": Broken(
        "venues: {gamma: 1}",
        "venues: {gamma: 0}",
        "traders.1.venues.gamma",
        "0}",
        ("found 0", "a share above 0"),
    ),
    "more venues per trader than there are": Broken(
        "venues_per_trader: {1: 0.8, 2: 0.2}",
        "venues_per_trader: 3",
        "traders.0.venues_per_trader",
        "3",
        ("found 3", "from 1 to 2"),
    ),
    "more venues in a share": Broken(
        "{1: 0.8, 2: 0.2}",
        "{1: 0.8, 3: 0.2}",
        "traders.0.venues_per_trader.3",
        "0.2",
        ("found 3", "from 1 to 2"),
    ),
    "more positions than markets": Broken(
        "positions_per_account: 1",
        "positions_per_account: 2",
        "traders.0.positions_per_account",
        "2",
        ("at most 1", "on 'alpha'"),
    ),
    "leverage of zero": Broken(
        "leverage: {dist: constant, value: 2}",
        "leverage: {dist: constant, value: 0}",
        "traders.1.leverage",
        "{dist: constant, value: 0}",
        ("values down to 0", "above 0"),
    ),
    "min above max": Broken(
        "max: 1e7}", "max: 10}", "traders.0.equity.max", "10}", ("at least the min, 100",)
    ),
    "uniform upside down": Broken(
        "{dist: uniform, min: 0, max: 2}",
        "{dist: uniform, min: 3, max: 2}",
        "traders.0.wallet.max",
        "2}",
        ("at least the min, 3",),
    ),
    "negative wallet": Broken(
        "{dist: uniform, min: 0, max: 2}",
        "{dist: constant, value: -1}",
        "traders.0.wallet",
        "{dist: constant, value: -1",
        ("values down to -1", "0 or more"),
    ),
    "quantiles that fall": Broken(
        "{0: 1e5, 0.5: 1e6, 1: 1e7}",
        "{0: 1e5, 0.5: 1e6, 1: 1e4}",
        "traders.1.equity.quantiles.1",
        "1e4",
        ("at least the value before it, 1e+06",),
    ),
    "probability above one": Broken(
        "1: 1e7}", "2: 1e7}", "traders.1.equity.quantiles.2", "1e7", ("from 0 to 1",)
    ),
    "one quantile": Broken(
        "{0: 1e5, 0.5: 1e6, 1: 1e7}",
        "{0.5: 1e6}",
        "traders.1.equity.quantiles",
        "{0.5",
        ("at least 2 entries",),
    ),
    "unknown collateral of a cohort": Broken(
        "collateral: {USDT: 0.5, ETH: 0.5}",
        "collateral: {USDC: 0.5, ETH: 0.5}",
        "traders.0.collateral.USDC",
        "0.5",
        ("unknown asset 'USDC'", "did you mean 'USDT'"),
    ),
    "unknown margin mode": Broken(
        "{cross: 0.9, isolated: 0.1}",
        "{cross: 0.9, isolatd: 0.1}",
        "traders.0.margin_mode.isolatd",
        "isolatd",
        ("'isolatd'", "cross, isolated"),
    ),
    "unknown source of a top-up": Broken(
        "[wallet, accounts]",
        "[wallet, acounts]",
        "traders.0.top_up.sources.1",
        "acounts",
        ("wallet, accounts", "did you mean 'accounts'"),
    ),
    "cohort twice": Broken(
        "cohort: funds", "cohort: retail", "traders.1.cohort", "retail", ("a second 'retail'",)
    ),
    # shocks
    "shock on an unknown asset": Broken(
        JUMP,
        "{kind: jump, at: 5min, asset: BCT, return: -12%}",
        "shocks.0.asset",
        "BCT",
        ("unknown asset 'BCT'", "did you mean 'BTC'"),
    ),
    "shock on a venue without the asset": Broken(
        "return: -0.05, venue: beta",
        "return: -0.05, venue: alpha",
        "shocks.6.venue",
        "alpha",
        ("lists no market of ETH", "beta, gamma"),
    ),
    "outage of an unknown venue": Broken(
        "{kind: outage, venue: alpha",
        "{kind: outage, venue: alfa",
        "shocks.3.venue",
        "alfa",
        ("unknown venue 'alfa'", "did you mean 'alpha'"),
    ),
    "depth of an unknown symbol": Broken(
        "factor: 0.3, venue: beta",
        "factor: 0.3, symbol: BTC_PERP",
        "shocks.2.symbol",
        "BTC_PERP",
        ("unknown symbol", "did you mean 'BTC-PERP'"),
    ),
    "depth of no market": Broken(
        "factor: 0.3, venue: beta",
        "factor: 0.3, venue: alpha, asset: ETH",
        "shocks.2",
        "{kind: depth",
        ("no market has together",),
    ),
    "recovery without an end": Broken(
        "until: 10min, factor",
        "factor",
        "shocks.2.recovery_half_life",
        "60s",
        ("only together with until",),
    ),
    "correlation above one": Broken(
        '{"BTC,ETH": 0.8}',
        '{"BTC,ETH": 1.8}',
        "shocks.1.correlation.BTC,ETH",
        "1.8",
        ("from -1 to 1",),
    ),
    "correlation with itself": Broken(
        '{"BTC,ETH": 0.8}',
        '{"BTC,BTC": 0.8}',
        "shocks.1.correlation.BTC,BTC",
        "0.8",
        ("two different assets",),
    ),
    "correlation of a stranger": Broken(
        '{"BTC,ETH": 0.8}',
        '{"BTC,XRP": 0.8}',
        "shocks.1.correlation.BTC,XRP",
        "0.8",
        ("unknown asset 'XRP'",),
    ),
    "impossible correlations": Broken(
        GBM,
        "{kind: gbm, assets: [BTC, ETH, USDT], volatility: 0.5, correlation: -0.9}",
        "shocks.1.correlation",
        "-0.9",
        ("cannot hold together", "positive semi-definite"),
    ),
    "moving asset without volatility": Broken(
        GBM,
        "{kind: gbm, assets: [BTC, USDT]}",
        "shocks.1.assets.1",
        "USDT",
        ("which has volatility 0", "assets.USDT"),
    ),
    "path out of order": Broken(
        "[[0, 4300], [60s, 4000]]",
        "[[0, 4300], [60s, 4000], [60s, 4100]]",
        "shocks.4.points.2.0",
        "60s, 4100",
        ("more than the time before it, 60 s",),
    ),
    "path to zero": Broken(
        "[60s, 4000]", "[60s, 0]", "shocks.4.points.1.1", "0]]", ("a price above 0",)
    ),
    "path of no point": Broken(
        "[[0, 4300], [60s, 4000]]", "[]", "shocks.4.points", "[]", ("0 points", "at least two")
    ),
    "path of one point": Broken(
        "[[0, 4300], [60s, 4000]]", "[[0, 4300]]", "shocks.4.points", "[[0", ("at least two",)
    ),
    "path without a source": Broken(
        "points: [[0, 4300], [60s, 4000]]",
        "at: 0",
        "shocks.4",
        "{kind: path",
        ("neither of file and points",),
    ),
    "pair of three": Broken(
        "[60s, 4000]", "[60s, 4000, 1]", "shocks.4.points.1", "[60s, 4000, 1]", ("a list of 3",)
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_mistake_is_told_with_its_place(case: Broken) -> None:
    """The problem names file, path, line, column, what was found and what is allowed."""
    found = {problem.path: problem for problem in problems(case.text())}
    assert case.path in found, sorted(map(str, found.values()))
    problem = found[case.path]
    assert problem.file == "case.yaml"
    for part in case.parts:
        assert part in str(problem)
    assert (problem.line, problem.column) == case.place(), str(problem)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_message_is_plain_english(case: Broken) -> None:
    """No word of the libraries behind reaches the user."""
    for problem in problems(case.text()):
        text = str(problem).lower()
        for word in (
            "input should",
            "pydantic",
            "function-",
            "literal",
            "dict[",
            "valid ",
            "discriminator",
            "union",
            "expected",
            "<",
            "ruamel",
            "nonetype",
        ):
            assert word not in text, text


def test_all_mistakes_are_told_at_once_in_file_order() -> None:
    """Three mistakes in one file are three problems, sorted by line."""
    text = GOOD.replace("price: 121000", "price: -1").replace("5e8", "x").replace("-12%", "-2")
    lines = [problem.line for problem in problems(text)]
    assert len(lines) == 3
    assert lines == sorted(lines)
