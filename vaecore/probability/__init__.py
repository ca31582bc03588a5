"""Densities, likelihoods, priors and divergences: everything in nats, sums over event axes."""
