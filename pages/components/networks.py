"""Routes to the networks of runs: their graphs for the browser, and the server's own answers where it has none.

    GET  <base>/networks/<what>/<run>    a packed graph, with an entity tag; 409 and the reason where there is none
    POST the same                        float32 inputs in, float32 outputs out, `X-Batch` observations at once

`what` is the decoder or the encoder of the run, or the judge of its data; `?of=` says of which modality that is.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
from starlette.responses import Response
from starlette.routing import Route

from pages.components import serve
from vaecore.store import Run, Store, StoreError

if TYPE_CHECKING:
    from starlette.requests import Request

    from vaecore.explore.export.networks import Network, What

WHAT = ("decoder", "encoder", "judge")
MOST_AT_ONCE = 256  # observations of one question
MOST_BYTES = 32 * 2**20  # of one question, and of one answer
FOR_GOOD = "public, max-age=31536000, immutable"


def network_address(run: Run, what: What, of: str = "") -> str:
    """Where the browser finds a network of a run; it changes with the weights. `of` is the modality of a judge.

    Raises `NoGraph` where there are none yet.
    """
    from vaecore.explore.export.kept import VERSION, identity

    named = f"of={quote(of)}&" if of else ""
    return f"{newest_address(run, what)}?{named}v={identity(run, what, of)}-{VERSION}"


def newest_address(run: Run, what: What) -> str:
    """Where the network of a run is, whatever its weights are by then: said without reading them, or torch."""
    return serve.below(f"networks/{what}/{run.id}")


def routes() -> list[Route]:
    """What `app.py` serves besides Streamlit's own and the components' files."""
    return [Route(serve.below("networks/{what}/{run:path}"), _network, methods=["GET", "POST"])]


async def _network(request: Request) -> Response:
    what, reference = request.path_params["what"], request.path_params["run"]
    of, version = (request.query_params.get(name, "") for name in ("of", "v"))
    if what not in WHAT:
        return serve.refusal(404, f"There is no such network. There are {', '.join(WHAT)}.")
    try:
        run = Store.default().find(reference)
    except StoreError:
        return serve.refusal(404, "There is no such run.")
    if request.method != "POST":
        return await serve.answered(_graph, run, what, of, request, version)
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > MOST_BYTES:
            return serve.refusal(413, f"At most {MOST_BYTES:,} bytes are read at once.")
    return await serve.answered(_computed, run, what, of, bytes(data), request.headers.get("x-batch", "1"))


def _graph(run: Run, what: What, of: str, request: Request, version: str) -> Response:
    from vaecore.explore.export.kept import VERSION, identity, kept
    from vaecore.training.checkpoints import BrokenCheckpoint

    try:
        now = f"{identity(run, what, of)}-{VERSION}"
        found = kept(run, what, of)
    except (ValueError, BrokenCheckpoint, StoreError) as error:
        return serve.refusal(409, str(error), **_shapes(run, what, of))
    return serve.tagged(found.bytes, found.etag, request, FOR_GOOD if version == now else "no-cache")


def _shapes(run: Run, what: What, of: str) -> dict[str, Any]:
    """Inputs and outputs of what the server can compute, though the browser cannot; nothing where it can neither."""
    import torch

    from vaecore.explore.export.networks import computed

    try:
        network = _on_the_server(run, what, of)
        found = computed(network, {name: torch.zeros(1, *shape) for name, shape in network.inputs.items()})
    except Exception:  # whatever the reason is, it has been said
        return {}
    return {"inputs": [[name, list(shape)] for name, shape in network.inputs.items()],
            "outputs": [[name, list(value.shape[1:])] for name, value in found.items()]}


def _computed(run: Run, what: What, of: str, data: bytes, batch: str) -> Response:
    import torch

    from vaecore.explore.export.networks import computed
    from vaecore.training.checkpoints import BrokenCheckpoint

    try:
        network = _on_the_server(run, what, of)
    except (ValueError, BrokenCheckpoint, StoreError) as error:  # NoGraph and ConfigError are values
        return serve.refusal(409, str(error))
    count = int(batch) if batch.isascii() and batch.isdigit() and len(batch) < 6 else 0
    if not 1 <= count <= MOST_AT_ONCE:
        return serve.refusal(400, f"X-Batch says how many observations there are: 1 to {MOST_AT_ONCE}.")
    wanted = 4 * count * sum(math.prod(shape) for shape in network.inputs.values())
    if len(data) != wanted:
        told = " and ".join(f"{name} {shape}" for name, shape in network.inputs.items())
        return serve.refusal(400, f"{count} times {told} are {wanted:,} bytes of float32, and {len(data):,} came.")
    numbers, start, given = np.frombuffer(data, "<f4"), 0, {}
    for name, shape in network.inputs.items():
        size = count * math.prod(shape)
        given[name] = torch.from_numpy(numbers[start:start + size].reshape(count, *shape).astype(np.float32))
        start += size
    found = computed(network, given)
    if 4 * sum(value.numel() for value in found.values()) > MOST_BYTES:
        return serve.refusal(413, f"At most {MOST_BYTES:,} bytes are answered at once. Ask for fewer observations.")
    return Response(b"".join(value.numpy().astype("<f4").tobytes() for value in found.values()),
                    media_type=serve.BYTES, headers={"Cache-Control": "no-store"})


def _on_the_server(run: Run, what: What, of: str) -> Network:
    from vaecore.explore.export.kept import on_the_server

    return on_the_server(run, what, of)
