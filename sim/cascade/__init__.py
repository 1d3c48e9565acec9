"""Cascade: recorded tables in, causal graph and contagion metrics out.

Reads the tables a run leaves and never the live engine, so an old run can be analysed again.
"""

from sim.cascade.cascade import Cascade
from sim.cascade.export import export_graph
from sim.cascade.statistics import branching_ratio_interval, tail_fit

__all__ = ["Cascade", "branching_ratio_interval", "export_graph", "tail_fit"]
