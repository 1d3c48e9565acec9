"""How fast liqsim is, against targets and against plain programs: ``python -m benchmarks``."""
