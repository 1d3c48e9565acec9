"""Formulas of lending protocols: health, fixed spreads, auctions, absorption, bands."""
