"""Cascade: recorded tables in, causal graph and contagion metrics out.

Reads the tables a run leaves and never the live engine, so an old run can be analysed again.
"""

from sim.cascade.cascade import Cascade

__all__ = ["Cascade"]
