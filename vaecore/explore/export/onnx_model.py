"""Decoder and encoder of a checkpoint as ONNX: one file each, for any number of observations at once.

Inputs and outputs are named as those of the graphs that browsers run (`networks.py`). What writes ONNX is the optional
extra `onnx`; without it that is said, with the remedy.
"""

from __future__ import annotations

import json
import logging
import warnings
from typing import TYPE_CHECKING

import torch

from vaecore.explore.crossmodal import CrossModal
from vaecore.explore.export.graph import EXPORTING, NoGraph
from vaecore.explore.export.networks import What, module_of
from vaecore.explore.latents import latents
from vaecore.explore.opening import opened
from vaecore.explore.single import Checkpoint
from vaecore.files import digest
from vaecore.schema import problem
from vaecore.training.checkpoints import load_model

if TYPE_CHECKING:
    from vaecore.store import Run

OPSET = 20
MOST_BYTES = 1_500_000_000  # of weights: a file with more than 2 GB is no ONNX
NEEDED = "onnx and onnxscript, which write ONNX, are not installed. `pip install \"vaecore[onnx]\"` installs them."


def onnx_model(run: Run, what: What = "decoder") -> bytes:
    """The decoder or the encoder of a run as an ONNX file of opset 20.

    A decoder takes codes (B, r) by latent, as they are and not in units, and gives `<modality>.mean` (B, *shape),
    pixels in [0, 1], and `<modality>.sigma` where its likelihood has one; an encoder takes the modalities (B, *shape)
    and gives `<latent>.mean` and `<latent>.sigma`. The file says of which run it is, the SHA-256 of its weights, and by
    `units.<latent>` the centre and the unit of each dimension, which sliders are in.

    Raises `NoGraph` for a run that has no such network, `ConfigError` where the extra is not installed, and what
    opening the run raises.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401 (torch asks for it)
    except ImportError:
        raise problem("--onnx", True, NEEDED, "Install them, or save the graph that browsers run in an --html file."
                      ) from None
    found = opened(run)
    model = load_model(run.path)
    asked = module_of(model, what)
    size = 4 * sum(p.numel() for p in asked.module.state_dict().values())
    if size > MOST_BYTES:
        raise NoGraph(f"Its weights are {size:,} bytes, and a single ONNX file holds {MOST_BYTES:,}.")
    given = tuple(torch.zeros(2, *shape) for shape in asked.inputs.values())
    batch = torch.export.Dim("batch", min=1)
    loud = logging.getLogger("torch.onnx")
    before = loud.level
    with EXPORTING, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        loud.setLevel(logging.ERROR)
        try:
            outputs = list(asked.module.eval()(*given))
            exported = torch.export.export(asked.module, given, dynamic_shapes=(tuple({0: batch} for _ in given),),
                                           strict=False)  # by itself: the other would try many ways, and tell of each
            program = torch.onnx.export(exported, dynamo=True, opset_version=OPSET, external_data=False, verbose=False,
                                        input_names=list(asked.inputs), output_names=outputs)
        except Exception as error:  # both raise errors of their own of many kinds
            line = next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]
            raise NoGraph(f"Its {what} cannot be written down as ONNX ({line}).") from error
        finally:
            loud.setLevel(before)
    assert program is not None
    written = program.model_proto
    for node in written.graph.node:  # where torch's own files lie is nobody's business, and half of the file
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*written.graph.input, *written.graph.output, *written.graph.initializer):
        del value.metadata_props[:]
    del written.graph.metadata_props[:], written.metadata_props[:], written.graph.value_info[:]
    told = {"run": run.id, "network": what, "family": type(model).__name__,
            "weights.sha256": digest(run.weights)}
    if isinstance(found, Checkpoint | CrossModal):
        told |= {f"units.{facts.name}": json.dumps({"centre": facts.centre.tolist(), "unit": facts.unit.tolist()})
                 for facts in latents(found)}
    onnx.helper.set_model_props(written, told)
    written.producer_name, written.doc_string = "Latent Lab", f"The {what} of {run.id}."
    onnx.checker.check_model(written)
    file: bytes = written.SerializeToString()
    return file
