"""What columns mean that several studies have in their tables; a study says of its own ones itself."""

from __future__ import annotations

COLUMNS = {  # by a column's name, or what stands before its first comma
    "KL": "KL of q(z|x) from the prior, in nats per observation: what the code costs.",
    "KL(q(z)||p(z))": "How far the codes as a whole are from the prior, in nats.",
    "KL(joint || one)": "KL of the posterior given all modalities from that given one, in nats, summed over the "
                        "modalities: how far the encoders of one are off.",
    "KL a frame": "KL of the code's posterior from its prior, in nats a frame after the first.",
    "KL a clip": "KL of the codes' posterior from their prior, in nats a clip.",
    "KL at events": "KL of the code of a frame that could not be foreseen, in nats.",
    "KL elsewhere": "KL of the code of any other predicted frame, in nats.",
    "largest KL on the way": "The largest KL at any evaluation, in nats.",
    "-ELBO": "Negative evidence lower bound on the validation set, in nats per observation. Lower is better.",
    "-ELBO a frame": "Negative evidence lower bound of test clips, in nats a frame after the first. Lower is better.",
    "NLL or bound": "Negative log-likelihood in nats per sentence: exact for a language model, −ELBO for a VAE.",
    "perplexity": "exp(bound / tokens): among how many equally likely words the model chooses each next one.",
    "AUC of the sd": "Chance that the prior is wider at a frame that could not be foreseen than at another one.",
    "AUC": "Chance that the prior is wider at a frame that could not be foreseen than at another one.",
    "distortion": "Squared error of the reconstruction, summed over the vector.",
    "active": "Latent dimensions in use: posterior means that vary by more than 0.01 (in variance).",
    "mutual information": "What the code tells about the observation, in nats, aggregated over all of them.",
    "gamma": "Observation variance of the Gaussian likelihood.",
    "seed": "Of the random numbers of a training.",
}
