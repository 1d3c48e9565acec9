"""Report: figures and tables of one run.

A figure is one module with ``figure(frame, context, ax=None)`` that draws and computes nothing;
the series it draws come from small functions beside it.
"""

from sim.report.context import RunContext, RunTables
from sim.report.figures import save_all
from sim.report.table import Group, Row, summary_table
from sim.report.units import money

__all__ = ["Group", "Row", "RunContext", "RunTables", "money", "save_all", "summary_table"]
