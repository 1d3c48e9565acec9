"""Core of liqsim: errors, random streams, clock, array aliases and the registry of variants."""
