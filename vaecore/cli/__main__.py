"""`python -m vaecore.cli`."""

from vaecore.cli import main

main()
