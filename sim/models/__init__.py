"""The interchangeable rules of liqsim: one folder per socket, one file per variant."""
