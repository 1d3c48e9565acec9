"""Experiments: questions that many runs of one scenario answer."""

from sim.experiments.critical import Measured, check_critical_shock, measured_critical_shock

__all__ = ["Measured", "check_critical_shock", "measured_critical_shock"]
