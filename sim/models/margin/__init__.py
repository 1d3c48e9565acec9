"""Margin rules: flat rates and notional tiers, cross and isolated accounts."""

from sim.models.margin.tables import MarginTables

__all__ = ["MarginTables"]
