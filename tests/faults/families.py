"""A small training of every family, and of every way to train that keeps something of its own in the checkpoint.

Each takes a second or three of steps on one thread, needs no data from outside, and has enough evaluations for a kill
to fall between, into and onto the writing of checkpoints.
"""

from __future__ import annotations

from typing import Any

MLP = {"kind": "mlp", "hidden": [16]}
NETWORKS = {"image": MLP, "vector": MLP}
DIGITS = {"name": "digits", "train_limit": 256, "pixels": "binary-dynamic"}
BLOCKS = {"name": "planted-blocks", "samples": 400}
CLIPS = {"name": "moving-shape", "size": 16, "clips": 32, "test_clips": 4, "frames": 6, "test_frames": 8,
         "turns": "bounce", "start": "anywhere"}
STATES = {"name": "moving-states", "clips": 32, "test_clips": 4, "frames": 6, "test_frames": 8}
TEXT = {"name": "synthetic-text"}
RECURRENT = {"network": {"kind": "dcgan", "channels": 2}, "code_size": 8, "hidden": 8, "context": 2}


def _single(model: dict[str, Any], epochs: int, **training: Any) -> dict[str, Any]:
    return {"data": DIGITS, "model": model, "training": {"epochs": epochs, "batch_size": 32, **training}}


def _several(model: dict[str, Any], epochs: int, **data: Any) -> dict[str, Any]:
    return {"data": {**BLOCKS, **data}, "model": model, "training": {"epochs": epochs, "batch_size": 40}}


def _clips(model: dict[str, Any], epochs: int, data: dict[str, Any] = CLIPS, **training: Any) -> dict[str, Any]:
    return {"data": data, "model": {"context": 2, **model},
            "training": {"epochs": epochs, "batch_size": 8, **training}}


VAE = {"family": "vae", "latent_size": 4, "network": MLP}
TRAININGS: dict[str, dict[str, Any]] = {
    "vae": _single(VAE, 60, snapshots=6, checkpoints=5, rate={"kind": "cosine"}),
    "vae-conv": _single({**VAE, "network": {"kind": "conv", "channels": [4, 8], "dense": 16},
                         "likelihood": {"kind": "gaussian-learned"}}, 40, optimizer="adamw", weight_decay=0.01,
                        keep="last", beta={"kind": "linear", "fraction": 0.5}),
    "vamp": _single({**VAE, "prior": {"kind": "vamp", "components": 10}}, 60),
    "implicit": _single({**VAE, "prior": {"kind": "implicit", "hidden": [16], "updates": 1}}, 40),
    "wasserstein": _single({**VAE, "divergence": {"kind": "critic", "hidden": [16]}}, 40),
    "free-bits": _single(VAE, 60, kl={"kind": "free-bits", "nats": 0.5}, patience=40),
    "aggressive": _single(VAE, 50, inference={"kind": "aggressive", "most": 7, "window": 2}),
    "ae": _single({"family": "ae", "latent_size": 4, "network": MLP}, 120),
    "linear-ae": _single({"family": "linear-ae", "latent_size": 3}, 150, optimizer="sgd", learning_rate=0.01),
    "pca": _single({"family": "pca", "latent_size": 3}, 1),
    "ica": _single({"family": "ica", "latent_size": 3}, 1),
    "made": _single({"family": "made"}, 60),
    "pixelcnn": _single({"family": "pixelcnn"}, 10),
    "rbm": _single({"family": "rbm", "hidden": 6}, 120),
    "sentence-vae": {"data": TEXT, "model": {"family": "sentence-vae", "latent_size": 3, "embedding": 8, "hidden": 8},
                     "training": {"epochs": 1, "batch_size": 32, "evaluate_every": 0.1}},
    "language-model": {"data": TEXT, "model": {"family": "language-model", "embedding": 8, "hidden": 8},
                       "training": {"epochs": 1, "batch_size": 32, "evaluate_every": 0.1}},
    **{f"mvae-{kind}": _several({"family": "multimodal-vae", "latent_size": 3, "networks": NETWORKS,
                                 "posterior": {"kind": kind}}, 20, missing={"kind": "block", "missing": 0.4})
       for kind in ("product", "joint", "mixture", "mixture-of-products")},
    "dmvae": _several({"family": "dmvae", "shared_size": 3, "private_size": 2, "networks": NETWORKS}, 20,
                      missing={"kind": "random"}),
    "separate-vaes": _several({"family": "separate-vaes", "latent_size": 3, "networks": NETWORKS}, 20),
    "concatenated-vae": _several({"family": "concatenated-vae", "latent_size": 3, "joined": MLP}, 40),
    "cca": _several({"family": "cca", "latent_size": 1}, 1),
    "jive": _several({"family": "jive", "ranks": {"kind": "fixed", "joint": 1, "individual": 1}}, 1),
    "multiblock-pls": _several({"family": "multiblock-pls", "latent_size": 1}, 1),
    "svg-lp": _clips({"family": "svg-lp", "latent_size": 3, **RECURRENT}, 20, clip_norm=10.0),
    "svg-fp": _clips({"family": "svg-fp", "latent_size": 2, **RECURRENT}, 20),
    "recurrent-predictor": _clips({"family": "recurrent-predictor", **RECURRENT}, 20),
    "sv2p": _clips({"family": "sv2p", "latent": "invariant", "channels": 1, "kernels": 2}, 8),
    "prednet": _clips({"family": "prednet", "channels": [2, 4]}, 10),
    "video-pixel-network": _clips({"family": "video-pixel-network", "channels": 4, "hidden": 4, "dilations": [1, 2],
                                   "layers": 1}, 15, {**CLIPS, "binary": True, "side": 6}),
    "conditional-wasserstein": _clips({"family": "conditional-wasserstein", "network": MLP}, 10, STATES),
}
