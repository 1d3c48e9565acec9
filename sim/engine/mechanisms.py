"""The mechanisms of a world, in the order in which they act."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sim.engine.backstop import build_backstops
from sim.engine.breakers import build_breakers
from sim.engine.checkpoints import build_checkpoints
from sim.engine.funding import build_funding
from sim.engine.lending import build_lending
from sim.engine.margin_figures import margin_figures
from sim.engine.mechanism import Mechanism
from sim.engine.pace import waiting_series
from sim.engine.recalibration import build_recalibration
from sim.engine.waterfall_series import waterfall_mechanisms

if TYPE_CHECKING:
    from sim.engine.world import World

BUILDERS: tuple[Callable[[World], list[Mechanism]], ...] = (
    build_funding,
    build_recalibration,
    build_lending,
    build_backstops,
    build_breakers,
    waterfall_mechanisms,
    waiting_series,
    margin_figures,
    build_checkpoints,
)
"""Each returns its mechanisms of a world; none where no venue has them."""


def build_mechanisms(world: World) -> list[Mechanism]:
    """Return the mechanisms that the venues of a world have, in the order in which they act."""
    return [mechanism for build in BUILDERS for mechanism in build(world)]
