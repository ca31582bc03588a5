"""`python -m vaecore`: the command line."""

from vaecore.cli import main

main()
