"""The command ``liqsim``: one file per verb, heavy imports only inside the verbs."""
