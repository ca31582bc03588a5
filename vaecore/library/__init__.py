"""The library of runs: every run as a record of words and numbers, found, sorted, grouped and marked. No torch."""
