"""What a counterfactual world has otherwise than the factual one.

Every change is a small frozen value with a short text of its own, such as ``silence:binance``. It
becomes a part of the scenario: an entry of its block ``counterfactual``, or another value of a key
that it has already. So a counterfactual run is an ordinary run, with an id and a replay.

====================== ============================ ============================================
change                 text                         the world in which
====================== ============================ ============================================
`Silence`              ``silence:VENUE``            its forced orders do not reach the market
`NoLiquidation`        ``spare:VENUE``              it liquidates nobody
`RingFence`            ``fence:VENUE``              nothing but shocks links it to others
`Absent`               ``absent:VENUE``             it has no accounts
`Without`              ``without:NAME``             a cohort, book or trader has no accounts
`InstantTransfers`     ``instant-transfers``        top-ups arrive in the tick they are sent
`MarginRule`           ``venues.VENUE.margin.K=V``  a venue has another margin rule
`Override`             ``PATH=VALUE``               a key of the scenario has another value
====================== ============================ ============================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from sim.core.errors import Problem, ScenarioError
from sim.core.nearest import nearest
from sim.schema.checks_counterfactual import group_names

if TYPE_CHECKING:
    from sim.schema import Scenario


class Edit(NamedTuple):
    """What a change writes into a scenario.

    Attributes
    ----------
    switches : tuple of (str, str)
        Key of the block ``counterfactual`` and name to be listed there.
    values : mapping
        Other values by dotted path.
    """

    switches: tuple[tuple[str, str], ...] = ()
    values: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Change:
    """Base of all changes."""

    @property
    def text(self) -> str:
        """The short text that `parse_change` reads."""
        raise NotImplementedError

    def edit(self, scenario: Scenario) -> Edit:
        """Return what it writes into a scenario.

        Raises
        ------
        ScenarioError
            If the scenario does not have what it names.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class _OfVenue(Change):
    """A change that names one venue.

    Parameters
    ----------
    venue : str
    """

    venue: str

    word = ""
    key = ""

    @property
    def text(self) -> str:
        """The short text that `parse_change` reads."""
        return f"{self.word}:{self.venue}"

    def edit(self, scenario: Scenario) -> Edit:
        """Return the entry of the block ``counterfactual``."""
        _require(self.venue, scenario.venues, self.text)
        return Edit(((self.key, self.venue),))


class Silence(_OfVenue):
    """A venue's forced orders do not reach the market: "had it not sold".

    Its accounts are closed when and as far as they would be, so that losses are still counted, at
    the price that the orders of others make. They move no price and nobody else.
    """

    word, key = "silence", "silence"


class NoLiquidation(_OfVenue):
    """A venue liquidates nobody; its accounts keep what they hold and may sink below zero."""

    word, key = "spare", "spare"


class RingFence(_OfVenue):
    """A venue without links: no coupling, index or collateral value of others, no transfers."""

    word, key = "fence", "ring_fence"


class Absent(_OfVenue):
    """A venue margins nobody; its markets stay."""

    word, key = "absent", "without_venues"


@dataclass(frozen=True)
class Without(Change):
    """The accounts of a cohort, a book or one trader are left out; everybody else is drawn alike.

    Parameters
    ----------
    name : str
        Name of a cohort or book, else the id of a trader.
    """

    name: str

    @property
    def text(self) -> str:
        """The short text that `parse_change` reads."""
        return f"without:{self.name}"

    def edit(self, scenario: Scenario) -> Edit:
        """Return the entry of the block ``counterfactual``; a run refuses unknown traders."""
        group = self.name in group_names(scenario)
        return Edit((("without_groups" if group else "without_traders", self.name),))


@dataclass(frozen=True)
class InstantTransfers(Change):
    """Top-ups arrive in the tick in which they are sent; gates of withdrawals stay."""

    @property
    def text(self) -> str:
        """The short text that `parse_change` reads."""
        return "instant-transfers"

    def edit(self, scenario: Scenario) -> Edit:
        """Return a latency of 0 for everybody who tops up."""
        sources = enumerate(scenario.traders)
        return Edit(
            (), {f"traders.{k}.top_up.latency": 0.0 for k, at in sources if at.top_up is not None}
        )


@dataclass(frozen=True)
class Override(Change):
    """Any key of the scenario has another value.

    Parameters
    ----------
    path : str
        Keys joined by dots, items of lists by number, such as ``shocks.0.return``.
    value : object
        Text is read as YAML.
    """

    path: str
    value: Any

    @property
    def text(self) -> str:
        """The short text that `parse_change` reads."""
        return f"{self.path}={self.value}"

    def edit(self, scenario: Scenario) -> Edit:
        """Return the value; loading refuses what leads nowhere."""
        return Edit((), {self.path: self.value})


@dataclass(frozen=True)
class MarginRule(Change):
    """A venue has another margin rule.

    Parameters
    ----------
    venue : str
    overrides : mapping
        Values by path below ``venues.<venue>.margin``, such as ``{"maintenance_rate": 0.01}``.
    """

    venue: str
    overrides: Mapping[str, Any] = field(hash=False)

    @property
    def text(self) -> str:
        """The short text, of all overrides."""
        return " ".join(f"{path}={value}" for path, value in self._values().items())

    def edit(self, scenario: Scenario) -> Edit:
        """Return the values; loading refuses what leads nowhere."""
        _require(self.venue, scenario.venues, self.text)
        return Edit((), self._values())

    def _values(self) -> dict[str, Any]:
        return {f"venues.{self.venue}.margin.{key}": at for key, at in self.overrides.items()}


_NAMED: Mapping[str, Callable[[str], Change]] = {
    "silence": Silence,
    "spare": NoLiquidation,
    "fence": RingFence,
    "absent": Absent,
    "without": Without,
}

WORDS = (*_NAMED, "instant-transfers")
"""Words that texts of changes begin with, beside paths of overrides."""


def parse_change(text: str) -> Change:
    """Read a change from its short text.

    Raises
    ------
    ScenarioError
        If the text is none.
    """
    word, colon, name = text.partition(":")
    if colon and word in _NAMED and name:
        return _NAMED[word](name)
    if text == "instant-transfers":
        return InstantTransfers()
    path, sign, value = text.partition("=")
    if sign and path.strip():
        return Override(path.strip(), value.strip())
    raise _refused(
        text or "''",
        "no change that there is" if name or not colon else "a change without a name",
        "silence:VENUE, spare:VENUE, fence:VENUE, absent:VENUE, without:NAME, "
        "instant-transfers or PATH=VALUE",
        nearest(word, WORDS) if word not in WORDS else None,
    )


def as_changes(what: Change | str | Iterable[Change | str]) -> tuple[Change, ...]:
    """Return what was asked for as changes; texts are read.

    Raises
    ------
    ValueError
        If something is neither a change nor the text of one.
    ScenarioError
        If a text is none of a change, or a change is there twice.
    """
    asked = (what,) if isinstance(what, Change | str) else tuple(what)
    changes: list[Change] = []
    for one in asked:
        if not isinstance(one, Change | str):
            raise ValueError(f"a change is {one!r}; allowed: a Change or its text")
        change = parse_change(one) if isinstance(one, str) else one
        if change in changes:
            raise _refused(change.text, "the same change twice", "each change once")
        changes.append(change)
    return tuple(changes)


def _require(name: str, known: Iterable[str], text: str) -> None:
    """Refuse a venue that the scenario does not have, with the nearest one that it has."""
    names = list(known)
    if name not in names:
        raise _refused(text, f"unknown venue '{name}'", ", ".join(names), nearest(name, names))


def _refused(text: str, found: str, allowed: str, hint: str | None = None) -> ScenarioError:
    return ScenarioError(Problem("what if", None, None, text, found, allowed, hint))
