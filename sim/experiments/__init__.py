"""Experiments: many runs of one scenario, compared."""
