"""Runs against answers on paper."""
