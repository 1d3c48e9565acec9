"""Many runs, one answer: designs, an executor that survives, a store, and what is read from it."""
