"""What columns mean that several studies have in their tables; a study says of its own ones itself."""

from __future__ import annotations

from vaecore.evaluate.meaning import ACTIVE

COLUMNS = {  # by a column's name, or what stands before its first comma
    "KL": "KL of q(z|x) from the prior, in nats per observation: what the code costs.",
    "KL(q(z)||p(z))": "How far the codes as a whole are from the prior, in nats.",
    "KL a clip": "KL of the codes' posterior from their prior, in nats a clip.",
    "-ELBO": "Negative evidence lower bound, of the validation set where no other is named, in nats per observation. "
             "Lower is better.",
    "-ELBO a frame": "Negative evidence lower bound of test clips, in nats a frame after the first. Lower is better.",
    "distortion": "Squared error of the reconstruction, summed over the vector.",
    "active": ACTIVE,
    "mutual information": "What the code tells about the observation, in nats, aggregated over all of them.",
    "gamma": "Observation variance of the Gaussian likelihood.",
    "seed": "Of the random numbers of a training.",
}
