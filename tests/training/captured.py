"""A small training of every family, and of every kind of prior, divergence, schedule and data that a step may meet."""

from __future__ import annotations

from typing import Any

from tests.explore.clip_runs import MODELS as CLIPS
from tests.probability.test_priors import PRIORS
from tests.training.test_modal_runs import MODELS as MODAL

MLP = {"kind": "mlp", "hidden": [16]}
GREY: dict[str, Any] = {"name": "digits", "train_limit": 64}
BATCH = 16


def single(model: dict[str, Any], data: dict[str, Any] | None = None, **training: Any) -> dict[str, Any]:
    """Eight steps of a family of one modality."""
    return {"data": {**GREY, **(data or {})}, "model": model,
            "training": {"epochs": 2, "batch_size": BATCH, **training}}


def vae(data: dict[str, Any] | None = None, training: dict[str, Any] | None = None, **model: Any) -> dict[str, Any]:
    return single({"family": "vae", "latent_size": 3, "network": MLP, **model}, data, **(training or {}))


def clips(name: str, **model: Any) -> dict[str, Any]:
    data, values = CLIPS[name]
    return {"data": {**data, "clips": 8}, "model": {**values, **model}, "training": {"epochs": 2, "batch_size": 2}}


def modal(name: str, posterior: dict[str, Any] | None = None, **data: Any) -> dict[str, Any]:
    model = MODAL[name]
    if posterior is not None:
        model = {**model, "posterior": {**model["posterior"], **posterior}}
    return {"data": {"name": "planted-blocks", "samples": 200, **data}, "model": model,
            "training": {"epochs": 1, "batch_size": 20}}


TEACHER = {"kind": "teacher-forcing"}
TEXT = {"name": "synthetic-text", "size": 1000}
SHAPE = {"name": "moving-shape", "size": 16, "side": 5, "frames": 6, "test_frames": 9, "test_clips": 4, "clips": 8}

CAPTURED: dict[str, dict[str, Any]] = {
    "vae": vae(),
    "vae, sgd, clipped": vae(training={"optimizer": "sgd", "clip_norm": 1.0, "learning_rate": 2**-12}),
    "vae, adamw, cosine, free bits": vae(training={
        "optimizer": "adamw", "weight_decay": 0.1, "rate": {"kind": "cosine"}, "kl": {"kind": "free-bits"}}),
    "vae, capacity, cyclical": vae(training={
        "kl": {"kind": "capacity", "nats": 3.0}, "beta": {"kind": "cyclical", "cycles": 2}}),
    "vae, free bits of each observation": vae(training={"kl": {"kind": "free-bits-masked"}}),
    "vae, pixels drawn anew": vae({"pixels": "binary-dynamic"}, n_samples=2),
    "vae, learned variance": vae(likelihood={"kind": "gaussian-learned"}),
    "vae, optimal variance": vae(likelihood={"kind": "gaussian-optimal"}),
    "vae, convolutions": vae(network={"kind": "conv", "channels": [2, 4], "dense": 8}),
    "vae, residual": vae(network={"kind": "resconv", "channels": [2, 4], "dense": 8}),
    **{f"vae, {prior}": vae(prior=values) for prior, values in PRIORS.items()},
    "vae, weighed codes": vae(bound={"kind": "iwae"}, prior=PRIORS["mixture"]),
    "vae, critic": vae(divergence={"kind": "critic", "hidden": [4], "updates": 2}),
    "vae, critic of a gan": vae(divergence={"kind": "critic", "hidden": [4], "loss": "gan"}),
    "vae, mmd": vae(divergence={"kind": "mmd"}), "vae, sliced": vae(divergence={"kind": "sliced"}),
    "vae, per observation": vae(divergence={"kind": "per-x"}),
    "ae": single({"family": "ae", "latent_size": 3, "network": MLP}),
    "linear-ae": single({"family": "linear-ae", "latent_size": 3}),
    "made": single({"family": "made", "hidden": [16]}),
    "pixelcnn": single({"family": "pixelcnn", "channels": 4, "layers": 1}),
    "rbm, pcd": single({"family": "rbm", "hidden": 8, "chains": 10}),
    "rbm, cd": single({"family": "rbm", "hidden": 8, "chains": 10, "chain": "cd"}),
    "sentence-vae": single({"family": "sentence-vae", "latent_size": 2, "embedding": 3, "hidden": 4}, TEXT),
    "language-model": single({"family": "language-model", "embedding": 3, "hidden": 4}, TEXT),
    **{f"{name}, gaps": modal(name, missing={"kind": "random"})
       for name in ("joint", "mixture", "mixture-of-products", "dmvae", "separate", "concatenated")},
    "dmvae, whole": modal("dmvae"),
    "product": modal("product", posterior={"random_subsets": 0}),
    "product, gaps": modal("product", posterior={"random_subsets": 0}, missing={"kind": "random"}),
    "svg-lp": clips("lp", feeding=TEACHER), "svg-fp": clips("fp", feeding=TEACHER),
    "svg-lp, states": clips("states", feeding=TEACHER),
    "recurrent-predictor": clips("one", feeding=TEACHER),
    "sv2p": clips("sv2p", feeding=TEACHER, stages={"kind": "one"}),
    "video-pixel-network": clips("pixels"),
    "prednet": {**clips("one"), "model": {"family": "prednet", "channels": [2], "context": 3}},
    "conditional-wasserstein": {**clips("states"), "model": {"family": "conditional-wasserstein", "hidden": 4,
                                                            "network": {"kind": "mlp", "hidden": [8]}, "context": 3}},
    "svg-lp, a shape": {**clips("lp", feeding=TEACHER), "data": {**SHAPE, "turns": "bounce"}},
}
EAGER: dict[str, tuple[dict[str, Any], str]] = {
    "aggressive": (vae(training={"inference": {"kind": "aggressive", "most": 3}}), "take turns"),
    "scheduled sampling": (clips("lp", feeding={"kind": "scheduled"}), "changes from step to step"),
    "three stages": (clips("sv2p"), "changes from stage to stage"),
    "product, random subsets": (modal("product"), "drawn anew for each step"),
    "closed form": (single({"family": "pca", "latent_size": 3}), "takes no steps"),
}
