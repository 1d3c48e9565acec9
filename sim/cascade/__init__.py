"""Cascade: recorded tables in, causal graph and contagion metrics out.

Reads the tables a run leaves and never the live engine, so an old run can be analysed again.
`Cascade` looks back at a run, `State` ahead from one moment of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.cascade.cascade import Cascade

if TYPE_CHECKING:
    from sim.cascade.state import State
    from sim.cascade.tipping import Criterion

__all__ = ["Cascade", "Criterion", "State"]

_LATER = {"Criterion": "sim.cascade.tipping", "State": "sim.cascade.state"}


def __getattr__(name: str) -> Any:
    """Import what needs margins and impact curves when it is first asked for."""
    if name in _LATER:
        from importlib import import_module

        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module 'sim.cascade' has no attribute {name!r}")
