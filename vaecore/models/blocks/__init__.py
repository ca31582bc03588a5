"""Linear models of several blocks: CCA, JIVE and PLS as families."""
