"""Layers of a default waterfall, and the order in which they may stand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from sim.schema.backstop import Backstop
from sim.schema.base import Finding, Model, attribute, by_shape, refuse
from sim.schema.units import Duration, Fraction, Number, Symbol


class InsuranceFund(Model):
    """A fund that pays shortfalls until it is empty: one of the venue, or one per contract."""

    kind: Literal["insurance_fund"] = attribute("Layer.", "-", "insurance_fund")
    size: Number | None = attribute(
        "Money in the fund at time 0, where it stands behind every contract.",
        "numeraire",
        None,
        ge=0,
    )
    sizes: dict[Symbol, Number] | None = attribute(
        "Money at time 0 in a fund of each contract, by symbol, which pays for that contract "
        "alone; symbols that are left out have an empty fund.",
        "numeraire",
        None,
    )

    @model_validator(mode="after")
    def _one_size(self) -> InsuranceFund:
        findings = []
        if (self.size is None) == (self.sizes is None):
            found = "neither size nor sizes" if self.size is None else "size and sizes"
            findings.append(Finding((), found, "either size or sizes"))
        for symbol, amount in (self.sizes or {}).items():
            if amount < 0.0:
                findings.append(Finding(("sizes", symbol), f"{amount:g}", "a number of at least 0"))
        refuse("insurance_fund", findings)
        return self


class Drawdown(Model):
    """A fall of the insurance fund below its recent peak."""

    drawdown: Fraction = attribute(
        "Fall of the fund from its peak at which auto-deleveraging starts.", "1", gt=0, le=1
    )
    window: Duration = attribute("How far back the peak is looked for.", "s", gt=0)


Trigger = Annotated[
    Annotated[Literal["fund_short", "negative_equity"], Tag("<one>")]
    | Annotated[Drawdown, Tag("<map>")],
    Discriminator(by_shape),
]
"""When accounts are auto-deleveraged instead of being sold in the market."""

AdlOrder = Literal[
    "profit_leverage",
    "binance",
    "bitmex",
    "hyperliquid",
    "random",
    "wealth_queue",
    "pro_rata",
    "capped_pro_rata",
    "equal_haircut",
]
"""Who is reduced: queues from `profit_leverage` to `wealth_queue`, and shares for everybody."""


class Adl(Model):
    """Auto-deleveraging: positions opposite to the bankrupt one are reduced against it."""

    kind: Literal["adl"] = attribute("Layer.", "-", "adl")
    order: AdlOrder = attribute("Whose positions are reduced first, or how all share.", "-",
                                "profit_leverage")  # fmt: skip
    price: Literal["bankruptcy", "mark", "previous_mark"] = attribute(
        "Price at which both sides are closed; at a mark the bankrupt account keeps its debt.",
        "-",
        "bankruptcy",
    )
    trigger: Trigger = attribute(
        "When: a loss that the layers before cannot pay, equity below zero, or a fall of the fund.",
        "-",
        "fund_short",
    )
    cap: Fraction | None = attribute(
        "Largest share of a position that is taken at a time, for capped_pro_rata.",
        "1",
        None,
        gt=0,
        le=1,
    )

    @model_validator(mode="after")
    def _cap_where_capped(self) -> Adl:
        capped = self.order == "capped_pro_rata"
        if capped and self.cap is None:
            refuse("adl", [Finding(("cap",), "nothing", "a cap for the order capped_pro_rata")])
        if not capped and self.cap is not None:
            found = f"{self.cap:g} with the order {self.order}"
            refuse("adl", [Finding(("cap",), found, "a cap only with the order capped_pro_rata")])
        return self


class OwnContribution(Model):
    """The defaulter's own share of the default fund."""

    kind: Literal["own_contribution"] = attribute("Layer.", "-", "own_contribution")


class SkinInTheGame(Model):
    """The clearer's own capital that pays before the members who did not default."""

    kind: Literal["skin_in_the_game"] = attribute("Layer.", "-", "skin_in_the_game")
    size: Number = attribute("Capital at time 0.", "numeraire", ge=0)


class DefaultFund(Model):
    """A fund of all members, paid in at the start in proportion to initial margin."""

    kind: Literal["default_fund"] = attribute("Layer.", "-", "default_fund")
    size: Number = attribute(
        "Contributions of all members together at time 0, beside their collateral.",
        "numeraire",
        ge=0,
    )


class Assessments(Model):
    """What members who did not default are asked for, from money outside their accounts."""

    kind: Literal["assessments"] = attribute("Layer.", "-", "assessments")
    multiple: Number = attribute(
        "Most that a member can be asked for in a run, in contributions to the default fund.",
        "1",
        2.75,
        gt=0,
    )


class GainsHaircut(Model):
    """Variation margin gains haircut: winners give up a share of their unrealised gains."""

    kind: Literal["gains_haircut"] = attribute("Layer.", "-", "gains_haircut")


class Socialise(Model):
    """The shortfall is spread over survivors."""

    kind: Literal["socialise"] = attribute("Layer.", "-", "socialise")
    basis: Literal["equity", "profit", "notional", "counterparties"] = attribute(
        "What the shares are in proportion to; counterparties are positions opposite to the "
        "defaulter's, in its markets.",
        "-",
        "equity",
    )


class TearUp(Model):
    """Contracts are torn up: closed against winners at the mark, who share what is still owed."""

    kind: Literal["tear_up"] = attribute("Layer.", "-", "tear_up")


class Clearer(Model):
    """The clearer itself bears what is left, as it does without any layer."""

    kind: Literal["clearer"] = attribute("Layer.", "-", "clearer")


Layer = Annotated[
    InsuranceFund
    | Backstop
    | Adl
    | OwnContribution
    | SkinInTheGame
    | DefaultFund
    | Assessments
    | GainsHaircut
    | Socialise
    | TearUp
    | Clearer,
    Field(discriminator="kind"),
]
"""Any layer."""

PAYERS = (
    "backstop",
    "insurance_fund",
    "own_contribution",
    "skin_in_the_game",
    "default_fund",
    "assessments",
)
"""Layers that come first; they pay in the order in which they are written."""

STAGES = (PAYERS, ("adl",), ("gains_haircut",), ("socialise", "tear_up"), ("clearer",))
"""Groups of layers in the order in which they may stand."""

NOT_PAYING = ("adl", "backstop")
"""Layers that avoid a shortfall instead of paying it."""


def paying_layers(kinds: Iterable[str]) -> list[str]:
    """Return those of layers that may pay a shortfall, and the clearer, who bears the rest."""
    return [*(kind for kind in kinds if kind not in (*NOT_PAYING, "clearer")), "clearer"]


LAST = ("adl", "socialise", "tear_up", "clearer")
"""Layers with which a waterfall may end."""

APART = (("adl", "tear_up"), ("socialise", "tear_up"))
"""Layers that do the same in two ways, so that a waterfall has one of them at most."""

NEEDS = {"own_contribution": "default_fund", "assessments": "default_fund"}
"""Layers that are counted in contributions to another one."""


def order_findings(waterfall: Sequence[Layer]) -> list[Finding]:
    """Return layers that are repeated, out of order or without the layer that they need."""
    kinds = [layer.kind for layer in waterfall]
    findings = [*_place_findings(kinds), *_company_findings(kinds)]
    findings += [
        Finding(
            ("waterfall", number, "trigger"), "no fund before it", "an insurance_fund before adl"
        )
        for number, layer in enumerate(waterfall)
        if isinstance(layer, Adl)
        and isinstance(layer.trigger, Drawdown)
        and "insurance_fund" not in kinds[:number]
    ]
    if kinds and not findings and kinds[-1] not in LAST:
        findings.append(
            Finding(
                ("waterfall", len(kinds) - 1, "kind"),
                f"'{kinds[-1]}' as the last layer, which may not be able to pay",
                "adl, socialise, tear_up or clearer at the end, to say who bears the rest",
            )
        )
    return findings


def _place_findings(kinds: Sequence[str]) -> Iterator[Finding]:
    """Yield layers that are repeated or that stand after one of a later group."""
    stage = {kind: number for number, group in enumerate(STAGES) for kind in group}
    groups = "; ".join(", ".join(kind for kind in group if kind != "backstop") for group in STAGES)
    for number, kind in enumerate(kinds[1:], start=1):
        path, before = ("waterfall", number, "kind"), kinds[number - 1]
        if kind in kinds[:number]:
            yield Finding(path, f"a second '{kind}'", "each kind of layer once")
        elif kind == "backstop" and before != "insurance_fund":
            allowed = "a backstop first, or directly after insurance_fund"
            yield Finding(path, f"'{kind}' after '{before}'", allowed)
        elif stage[kind] < stage[before]:
            yield Finding(path, f"'{kind}' after '{before}'", f"the order {groups}")


def _company_findings(kinds: Sequence[str]) -> Iterator[Finding]:
    """Yield layers beside one that excludes them, or without the one that they need."""
    for number, kind in enumerate(kinds):
        path = ("waterfall", number, "kind")
        for pair in APART:
            for other in set(pair) - {kind} if kind in pair else ():
                if other in kinds[:number]:
                    allowed = f"either {pair[0]} or {pair[1]}"
                    yield Finding(path, f"'{kind}' beside '{other}'", allowed)
        if kind in NEEDS and NEEDS[kind] not in kinds:
            found = f"'{kind}' without '{NEEDS[kind]}'"
            yield Finding(path, found, f"a layer {NEEDS[kind]}, whose contributions it counts in")
    if "own_contribution" in kinds and "default_fund" in kinds:
        first, second = kinds.index("default_fund"), kinds.index("own_contribution")
        if second > first:
            path = ("waterfall", second, "kind")
            allowed = "own_contribution before default_fund: the defaulter's share pays first"
            yield Finding(path, "'own_contribution' after 'default_fund'", allowed)
