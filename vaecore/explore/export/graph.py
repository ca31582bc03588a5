"""A network as a list of some dozen operations with their numbers, small enough for a browser to read and run.

`torch.export` writes down what a module does to one observation; here that becomes `Step`s. What does not depend on the
inputs is computed now and becomes a constant, and all that only moves numbers about (reshaping, slicing, joining,
broadcasting) is found out by moving their places: the operation is done to the numbers 0, 1, 2, ... and one looks where
they went. So the operations that are left are the mathematics.

A graph is of one observation: a batch is run one after another, and no operation has to know which axis that is.
`pages/components/lib/graph.js` runs it in a browser; `Graph.run` is the same in Python, to compare with.
"""

from __future__ import annotations

import json
import math
import operator
import struct
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

Floats = NDArray[np.float32]
Shape = tuple[int, ...]

MOST_BYTES = 64_000_000  # of weights, as they are sent in half precision
MOST_PRODUCTS = 400_000_000  # multiply-adds of one run: a tenth of a second in a browser
SMALL = 4_096  # numbers, below which a constant stays in single precision: biases, scales
MOST_RUNS = 64  # stretches of numbers that are copied one by one; what is more scattered goes through a table
EXPORTING = threading.Lock()  # torch.export is for one thread at a time


class NoGraph(ValueError):
    """A network that no browser can run; the message says why, to a visitor."""


@dataclass(frozen=True)
class Value:
    """What a step computes: its number, and its shape with the one observation in front where the module has it."""

    id: int
    shape: Shape

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class Step:
    """One operation: `name` of its `inputs` (numbers of values) into `output`, with what else it needs to know."""

    name: str
    inputs: tuple[int, ...]
    output: int
    settings: Mapping[str, Any]
    products: int = 0  # multiply-adds


@dataclass(frozen=True)
class Graph:
    """Named inputs, constants, steps in the order in which they are run, and which values are the outputs."""

    inputs: Mapping[str, Shape]  # of one observation; their values are numbered first
    outputs: Mapping[str, tuple[int, Shape]]  # the number of a value, and the shape of one observation
    constants: Mapping[int, NDArray[Any]]  # float32, or int32 for tables of places
    steps: tuple[Step, ...]
    sizes: tuple[int, ...]  # numbers in each value

    @classmethod
    def of(cls, module: nn.Module, inputs: Mapping[str, Shape]) -> Graph:
        """The graph of a module that takes tensors (1, *shape) in this order and gives some (1, *shape) by name.

        Raises `NoGraph` for what does no such thing, for operations that a browser has no words for, and for what is
        too large.
        """
        given = tuple(torch.zeros(1, *shape) for shape in inputs.values())
        with EXPORTING, warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.export.export(module.eval(), given, strict=False)
        graph = _Reading(inputs).read(program)
        if graph.least > MOST_BYTES:
            raise NoGraph(f"Its weights are {graph.least / 1e6:,.0f} MB, and a browser is sent at most "
                          f"{MOST_BYTES / 1e6:,.0f} MB: the server computes instead.")
        if graph.products > MOST_PRODUCTS:
            raise NoGraph(f"It takes {graph.products / 1e6:,.0f} million multiplications, and a browser is given at "
                          f"most {MOST_PRODUCTS / 1e6:,.0f} million: the server computes instead.")
        return graph

    @property
    def products(self) -> int:
        """Multiply-adds of one run."""
        return sum(step.products for step in self.steps)

    @property
    def least(self) -> int:
        """Bytes of its constants in half precision."""
        return sum(c.nbytes // (2 if _halved(c) else 1) for c in self.constants.values())

    def packed(self, half: bool) -> bytes:
        """u32 length of the header | header, as JSON | constants, little-endian, each at a multiple of 4 bytes.

        `half` stores large constants in half precision.
        """
        described, parts, place = [], [], 0
        for number, values in self.constants.items():
            kind = "i32" if values.dtype == np.int32 else "f16" if half and _halved(values) else "f32"
            data = values.astype({"i32": "<i4", "f16": "<f2", "f32": "<f4"}[kind]).tobytes()
            described.append({"value": number, "kind": kind, "at": place, "count": values.size})
            parts.append(data + bytes(-len(data) % 4))
            place += len(parts[-1])
        header = json.dumps({
            "inputs": [[name, list(shape)] for name, shape in self.inputs.items()],
            "outputs": [[name, list(shape), number] for name, (number, shape) in self.outputs.items()],
            "sizes": list(self.sizes), "constants": described, "half": half, "products": self.products,
            "steps": [{"name": step.name, "in": list(step.inputs), "out": step.output, **step.settings}
                      for step in self.steps]}, allow_nan=False, separators=(",", ":")).encode()
        header += b" " * (-len(header) % 4)
        return struct.pack("<I", len(header)) + header + b"".join(parts)

    def halved(self) -> Graph:
        """The graph as a browser has it that was sent half precision."""
        constants = {number: values.astype(np.float16).astype(np.float32) if _halved(values) else values
                     for number, values in self.constants.items()}
        return Graph(self.inputs, self.outputs, constants, self.steps, self.sizes)

    def run(self, given: Mapping[str, Floats]) -> dict[str, Floats]:
        """The outputs (*shape) for inputs (*shape) of one observation: what the browser does, in words of torch."""
        values = {number: torch.from_numpy(c) for number, c in self.constants.items()}
        for number, name in enumerate(self.inputs):
            values[number] = torch.from_numpy(np.ascontiguousarray(given[name], np.float32)).flatten()
        for step in self.steps:
            values[step.output] = MEANING[step.name](*(values[number].flatten() for number in step.inputs),
                                                     **step.settings).flatten()
        return {name: values[number].numpy().reshape(shape) for name, (number, shape) in self.outputs.items()}


def _halved(values: NDArray[Any]) -> bool:
    return values.dtype != np.int32 and values.size >= SMALL


def warm_up() -> None:
    """Import what the first export needs besides torch: a second, or several on a busy machine."""
    import torch._dynamo  # noqa: F401


# -- from torch's list of operations to ours -------------------------------------------------------


Tracked = Value | Tensor  # what depends on the inputs, or what is known already


class _Reading:
    """Reads an exported program once, from its first node to its last."""

    def __init__(self, inputs: Mapping[str, Shape]) -> None:
        self.inputs = inputs
        self.sizes: list[int] = []
        self.constants: dict[int, NDArray[Any]] = {}
        self.known: dict[int, tuple[Tensor, Value]] = {}  # constants that have a value, by their identity
        self.steps: list[Step] = []

    def read(self, program: torch.export.ExportedProgram) -> Graph:
        found: dict[str, Any] = {}
        signature = program.graph_signature
        given = iter([self.value((1, *shape)) for shape in self.inputs.values()])
        stored = {**program.state_dict, **program.constants}
        names = {**signature.inputs_to_parameters, **signature.inputs_to_buffers,
                 **signature.inputs_to_lifted_tensor_constants}
        for node in program.graph.nodes:
            if node.op == "placeholder":
                found[node.name] = stored[names[node.name]].detach() if node.name in names else next(given)
            elif node.op == "call_function":
                args, kwargs = torch.fx.map_arg((node.args, node.kwargs), lambda n: found[n.name])
                found[node.name] = self.done(node.target, args, kwargs)
                if _in_place(node.target):  # who reads it from here on reads what it has become
                    found[node.args[0].name] = found[node.name]
            elif node.op == "output":
                [ends] = node.args
        outputs = {}
        leaves = torch.utils._pytree.tree_unflatten([found[end.name] for end in ends], program.call_spec.out_spec)
        for name, end in leaves.items():
            value = end if isinstance(end, Value) else self.constant(end.float())
            outputs[name] = (value.id, value.shape[1:])
        return self.pruned(outputs)

    def pruned(self, outputs: dict[str, tuple[int, Shape]]) -> Graph:
        """The graph without steps and constants that no output needs."""
        needed, steps = {number for number, _ in outputs.values()}, []
        for step in reversed(self.steps):
            if step.output in needed:
                steps.append(step)
                needed.update(step.inputs)
        return Graph(dict(self.inputs), outputs, {n: c for n, c in self.constants.items() if n in needed},
                     tuple(reversed(steps)), tuple(self.sizes))

    def done(self, target: Any, args: Any, kwargs: Any) -> Any:
        """What an operation gives: numbers where its arguments are known, else values of the steps that it becomes."""
        if target is operator.getitem:
            return args[0][args[1]]
        values = [each for each in torch.utils._pytree.tree_leaves((args, kwargs)) if isinstance(each, Value)]
        name = target._schema.name.removeprefix("aten::").removesuffix("_")
        if name == "dropout" and args[2] is False:  # outside of training
            return args[0]
        if torch.Tag.nondeterministic_seeded in target.tags:
            raise NoGraph("It draws random numbers: the server computes instead.")
        if not values:
            return target(*args, **kwargs)
        if name in SAME:
            return args[0]
        if name in SHAPED:  # by a value it is told only how many there are
            shapes = torch.utils._pytree.tree_map(lambda v: torch.empty(v.shape) if isinstance(v, Value) else v, args)
            return target(*shapes, **kwargs)
        if name in MOVING:
            return self.moved(target, args, kwargs)
        if name not in READ:
            raise NoGraph(f"It uses an operation that the browser does not know ({name}): the server computes instead.")
        # Arguments by the names of the schema, defaults filled in.
        known = {each.name: each.default_value for each in target._schema.arguments if each.has_default_value()}
        known |= dict(zip((each.name for each in target._schema.arguments), args, strict=False)) | kwargs
        return READ[name](self, **{key: value for key, value in known.items() if key != "self"},
                          **({"x": known["self"]} if "self" in known else {}))

    def value(self, shape: Sequence[int]) -> Value:
        self.sizes.append(math.prod(shape))
        return Value(len(self.sizes) - 1, tuple(shape))

    def constant(self, values: Tensor, *, table: bool = False) -> Value:
        """The value of numbers that are known, one for each of them however often it is used."""
        if (held := self.known.get(id(values))) is not None:
            return held[1]
        value = self.value(values.shape)
        self.constants[value.id] = (values.to(torch.int32) if table else values.float()).contiguous().numpy().ravel()
        self.known[id(values)] = values, value  # which keeps it alive, and so its identity its own
        return value

    def number(self, given: Tracked | float) -> Value:
        if isinstance(given, Value):
            return given
        return self.constant(given if isinstance(given, Tensor) else torch.tensor(float(given)))

    def step(self, name: str, inputs: Sequence[Value], shape: Sequence[int], /, products: int = 0,
             **settings: Any) -> Value:
        output = self.value(shape)
        self.steps.append(Step(name, tuple(each.id for each in inputs), output.id, settings, products))
        return output

    # -- moving numbers ----------------------------------------------------------------------------

    def moved(self, target: Any, args: Any, kwargs: Any) -> Any:
        """An operation that moves numbers and changes none: where each came from is seen by moving their places."""
        sources: list[Value] = []
        starts: list[int] = []

        def placed(leaf: Any) -> Any:
            if isinstance(leaf, Tensor) and not leaf.is_floating_point():
                return leaf  # places, by which others are chosen
            if not isinstance(leaf, Value | Tensor):
                return leaf
            source = self.number(leaf)
            if source not in sources:
                starts.append(sum(each.size for each in sources))
                sources.append(source)
            start = starts[sources.index(source)]
            return torch.arange(start, start + source.size).view(leaf.shape)

        args, kwargs = torch.utils._pytree.tree_map(placed, (args, kwargs))
        places = target(*args, **kwargs)
        if isinstance(places, Tensor):
            return self.gathered(places, sources, starts)
        return [self.gathered(each, sources, starts) for each in places]

    def gathered(self, places: Tensor, sources: list[Value], starts: list[int]) -> Value:
        """The value whose numbers are those at `places` of the `sources` end to end: by the cheapest step there is."""
        shape, flat = tuple(places.shape), places.flatten()
        first = int(flat[0]) if len(flat) else 0
        index = max(i for i, start in enumerate(starts) if start <= first)
        source, offset = sources[index], first - starts[index]
        if len(flat) == source.size and torch.equal(flat, torch.arange(source.size) + starts[index]):
            return Value(source.id, shape)  # the same numbers under another shape
        strides = [int(places.select(axis, 1).flatten()[0]) - first if size > 1 else 0
                   for axis, size in enumerate(shape)]
        if torch.equal(_affine(first, strides, shape), places) and int(flat.min()) >= starts[index] \
                and int(flat.max()) < starts[index] + source.size:
            return self.step("strided", [source], shape, offset=offset, shape=list(shape), strides=strides)
        breaks = (flat.diff() != 1).nonzero().flatten() + 1
        ends = torch.isin(flat, torch.tensor(starts[1:], dtype=flat.dtype)).nonzero().flatten()  # a new source begins
        begins = sorted({0, *breaks.tolist(), *ends.tolist()})
        if len(begins) <= MOST_RUNS:
            runs = []
            for begin, end in zip(begins, [*begins[1:], len(flat)], strict=True):
                of = max(i for i, start in enumerate(starts) if start <= int(flat[begin]))
                runs.append([of, int(flat[begin]) - starts[of], begin, end - begin])
            return self.step("join", sources, shape, runs=runs)
        whole = source
        if len(sources) > 1:
            runs = [[i, 0, start, each.size] for i, (each, start) in enumerate(zip(sources, starts, strict=True))]
            whole = self.step("join", sources, (sum(each.size for each in sources),), runs=runs)
        return self.step("take", [whole, self.constant(flat.to(torch.int32), table=True)], shape)

    # -- mathematics -------------------------------------------------------------------------------

    def elementwise(self, function: str, x: Value, **settings: Any) -> Value:
        return self.step("each", [x], x.shape, function=function, **settings)

    def pair(self, function: str, a: Tracked | float, b: Tracked | float) -> Value:
        """A function of two numbers, broadcast: each is read by its strides."""
        a, b = self.number(a), self.number(b)
        shape = tuple(np.broadcast_shapes(a.shape, b.shape))
        strides = [_broadcast(each.shape, shape) for each in (a, b)]
        return self.step("pair", [a, b], shape, function=function, shape=list(shape), strides=strides)

    def linear(self, x: Value, weight: Tensor, bias: Tracked | None) -> Value:
        """x (..., k) times a known weight (n, k), transposed, plus a bias (n,)."""
        n, k = weight.shape
        rows = x.size // k
        inputs = [x, self.constant(weight), *([] if bias is None else [self.number(bias)])]
        return self.step("linear", inputs, (*x.shape[:-1], n), rows=rows, size=k, units=n, products=rows * k * n)

    def product(self, a: Tracked, b: Tracked) -> Value:
        """Matrices (m, k) and (k, n); a vector stands for one row, or one column."""
        if isinstance(a, Value) and isinstance(b, Tensor) and b.ndim == 2:
            return self.linear(a, b.T.contiguous(), None)
        a, b = self.number(a), self.number(b)
        if len(b.shape) > 2 or (len(a.shape) > 2 and len(b.shape) != 2):
            raise NoGraph("It multiplies stacks of matrices, which the browser does not: the server computes instead.")
        k = a.shape[-1]
        m, n = a.size // k, b.size // k
        shape = (*a.shape[:-1], *(b.shape[1:] if len(b.shape) > 1 else ()))
        return self.step("product", [a, b], shape, m=m, k=k, n=n, products=m * k * n)

    def convolution(self, x: Value, weight: Tensor, bias: Tensor | None, *, transposed: bool, stride: Sequence[int],
                    padding: Sequence[int], dilation: Sequence[int], output_padding: Sequence[int] = (0, 0),
                    groups: int = 1) -> Value:
        """Of one image (1, C, H, W); weights (O, C / groups, h, w), of a transposed one (C, O / groups, h, w)."""
        stride, padding, dilation, extra = (_two(each) for each in (stride, padding, dilation, output_padding))
        _, channels, *sides = x.shape
        kernel = weight.shape[2:]
        reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
        if transposed:
            outer = weight.shape[1] * groups
            large = [(s - 1) * t - 2 * p + r + e
                     for s, t, p, r, e in zip(sides, stride, padding, reach, extra, strict=True)]
            # As the matrix that takes the channels of a pixel to all that it adds to around it.
            weight = weight.reshape(groups, channels // groups, -1).transpose(1, 2).contiguous()
            places = math.prod(sides)
        else:
            outer = weight.shape[0]
            large = [(s + 2 * p - r) // t + 1 for s, t, p, r in zip(sides, stride, padding, reach, strict=True)]
            places = math.prod(large)
        inputs = [x, self.constant(weight), *([] if bias is None else [self.constant(bias)])]
        return self.step("convolution", inputs, (1, outer, *large), products=weight.numel() * places,
                         transposed=transposed, channels=channels, units=outer, sides=sides, large=large,
                         kernel=list(kernel), stride=stride, padding=padding, dilation=dilation, groups=groups)


def _in_place(target: Any) -> bool:
    return isinstance(target, torch._ops.OpOverload) and target._schema.name.endswith("_")


def _affine(first: int, strides: Sequence[int], shape: Shape) -> Tensor:
    places = torch.full(shape, first)
    for axis, (stride, size) in enumerate(zip(strides, shape, strict=True)):
        places += (stride * torch.arange(size)).view(-1, *[1] * (len(shape) - axis - 1))
    return places


def _broadcast(shape: Shape, wanted: Shape) -> list[int]:
    """The strides with which numbers of `shape` are read as `wanted`: 0 where one number serves for many."""
    strides, stride = [0] * len(wanted), 1
    for back, size in enumerate(reversed(shape), 1):
        strides[-back] = stride if size > 1 else 0
        stride *= size
    return strides


def _two(given: Any) -> list[int]:
    return [int(given), int(given)] if isinstance(given, int) else [int(each) for each in given] * (2 // len(given))


Reader = Callable[..., Any]
SAME = {"clone", "alias", "detach", "contiguous", "_to_copy", "to", "lift_fresh_copy", "_assert_tensor_metadata",
        "type_as"}
SHAPED = {"zeros_like", "ones_like", "full_like", "empty_like", "new_zeros", "new_ones", "new_full", "new_empty"}
MOVING = {"view", "reshape", "_unsafe_view", "_reshape_copy", "flatten", "unflatten", "unsqueeze", "squeeze", "permute",
          "transpose", "t", "numpy_T", "movedim", "flip", "roll", "expand", "expand_as", "repeat", "tile",
          "repeat_interleave", "slice", "select", "narrow", "split", "split_with_sizes", "chunk", "unbind", "index",
          "index_select", "index_put", "cat", "concat", "stack", "pixel_shuffle"}


def _sized(function: str) -> Reader:
    return lambda r, x, **_: r.elementwise(function, x)


def _paired(function: str) -> Reader:
    def read(r: _Reading, x: Tracked, other: Tracked | float, alpha: float = 1, **_: Any) -> Value:
        if alpha != 1:
            other = r.pair("mul", other, alpha) if isinstance(other, Value) else other * alpha
        return r.pair(function, x, other)
    return read


def _clamp(r: _Reading, x: Value, low: float | None, high: float | None) -> Value:
    if isinstance(low, Tensor) or isinstance(high, Tensor):
        raise NoGraph("It bounds numbers by others, which the browser does not: the server computes instead.")
    return r.elementwise("clamp", x, low=-3.4e38 if low is None else float(low),
                         high=3.4e38 if high is None else float(high))


def _addmm(r: _Reading, x: Tracked, mat1: Tracked, mat2: Tracked, beta: float = 1, alpha: float = 1, **_: Any) -> Value:
    if beta == alpha == 1 and isinstance(mat1, Value) and isinstance(mat2, Tensor) and x.shape == mat2.shape[1:]:
        return r.linear(mat1, mat2.T.contiguous(), x)
    made = r.product(mat1, mat2)
    return r.pair("add", r.pair("mul", made, alpha) if alpha != 1 else made, r.pair("mul", x, beta) if beta != 1 else x)


def _reduced(function: str) -> Reader:
    def read(r: _Reading, x: Value, dim: Sequence[int] | int | None = None, keepdim: bool = False, **_: Any) -> Value:
        axes = range(len(x.shape)) if dim is None or dim == [] else [dim] if isinstance(dim, int) else dim
        axes = sorted(axis % len(x.shape) for axis in axes)
        last = r.moved(torch.ops.aten.permute.default,
                       (x, [a for a in range(len(x.shape)) if a not in axes] + axes), {})
        kept = [1 if a in axes else size for a, size in enumerate(x.shape) if keepdim or a not in axes]
        return r.step("reduce", [last], kept, function=function, size=math.prod(x.shape[a] for a in axes))
    return read


def _softmax(function: str) -> Reader:
    def read(r: _Reading, x: Value, dim: int, **_: Any) -> Value:
        dim %= len(x.shape)
        return r.step("softmax", [x], x.shape, function=function, size=x.shape[dim],
                      inner=math.prod(x.shape[dim + 1:]))
    return read


def _normalised(r: _Reading, x: Value, groups: int, each: int, weight: Tensor | None, bias: Tensor | None, eps: float,
                inner: int) -> Value:
    """Numbers in `groups` of mean 0 and variance 1, then scaled and moved: `each` weights, one for `inner` numbers."""
    weight = torch.ones(each) if weight is None else weight
    bias = torch.zeros(each) if bias is None else bias
    return r.step("normalise", [x, r.constant(weight), r.constant(bias)], x.shape, groups=groups, size=x.size // groups,
                  weights=each, inner=inner, eps=eps)


def _batch_norm(r: _Reading, x: Value, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor,
                running_var: Tensor, eps: float, **_: Any) -> Value:
    scale = (running_var + eps).rsqrt() * (1 if weight is None else weight)
    shift = (0 if bias is None else bias) - running_mean * scale
    as_planes = (-1, *[1] * (len(x.shape) - 2))
    return r.pair("add", r.pair("mul", x, scale.view(as_planes)), shift.view(as_planes))


def _pooled(r: _Reading, x: Value, kernel_size: Any, stride: Any = (), padding: Any = 0, ceil_mode: bool = False,
            **_: Any) -> Value:
    kernel = _two(kernel_size)
    if any(_two(padding)) or _two(stride or kernel) != kernel:
        raise NoGraph("It averages overlapping parts of an image, which the browser does not: the server computes.")
    sides = list(x.shape[-2:])
    large = [(-(-s // k) if ceil_mode else s // k) for s, k in zip(sides, kernel, strict=True)]
    return r.step("average", [x], (*x.shape[:-2], *large), sides=sides, large=large, kernel=kernel)


READ: dict[str, Reader] = {
    **{name: _sized(name) for name in ("relu", "sigmoid", "tanh", "exp", "log", "neg", "sqrt", "rsqrt", "abs",
                                       "reciprocal", "expm1", "log1p", "silu", "erf", "sin", "cos")},
    "square": lambda r, x, **_: r.pair("mul", x, x),
    "gelu": lambda r, x, approximate="none", **_: r.elementwise("gelu" if approximate == "none" else "gelu_tanh", x),
    "elu": lambda r, x, alpha=1, scale=1, input_scale=1, **_: r.elementwise(
        "elu", x, alpha=float(alpha), scale=float(scale), input_scale=float(input_scale)),
    "selu": lambda r, x, **_: r.elementwise("elu", x, alpha=1.6732632423543772, scale=1.0507009873554805,
                                           input_scale=1.0),
    "leaky_relu": lambda r, x, negative_slope=0.01, **_: r.elementwise("leaky_relu", x, slope=float(negative_slope)),
    "softplus": lambda r, x, beta=1, threshold=20, **_: r.elementwise("softplus", x, beta=float(beta),
                                                                     threshold=float(threshold)),
    "log_sigmoid": lambda r, x, **_: r.elementwise("neg", r.elementwise("softplus", r.elementwise("neg", x), beta=1.0,
                                                                       threshold=20.0)),
    "hardtanh": lambda r, x, min_val=-1, max_val=1, **_: _clamp(r, x, min_val, max_val),
    "relu6": lambda r, x, **_: _clamp(r, x, 0, 6),
    "clamp": lambda r, x, min=None, max=None, **_: _clamp(r, x, min, max),
    "clamp_min": lambda r, x, min, **_: _clamp(r, x, min, None),
    "clamp_max": lambda r, x, max, **_: _clamp(r, x, None, max),
    "pow": lambda r, x, exponent, **_: r.pair("pow", x, exponent),
    **{name: _paired(name) for name in ("add", "sub", "mul", "div", "maximum", "minimum")},
    "rsub": lambda r, x, other, **_: r.pair("sub", other, x),
    "linear": lambda r, input, weight, bias=None, **_: r.linear(input, weight, bias),
    "matmul": lambda r, x, other, **_: r.product(x, other),
    "mm": lambda r, x, mat2, **_: r.product(x, mat2),
    "addmm": _addmm,
    "conv2d": lambda r, input, weight, bias=None, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1, **_:
        r.convolution(input, weight, bias, transposed=False, stride=stride, padding=padding, dilation=dilation,
                      groups=groups),
    "conv_transpose2d": lambda r, input, weight, bias=None, stride=(1, 1), padding=(0, 0), output_padding=(0, 0),
        groups=1, dilation=(1, 1), **_:
        r.convolution(input, weight, bias, transposed=True, stride=stride, padding=padding, dilation=dilation,
                      output_padding=output_padding, groups=groups),
    "softmax": _softmax("softmax"), "_softmax": _softmax("softmax"),
    "log_softmax": _softmax("log_softmax"), "_log_softmax": _softmax("log_softmax"),
    "sum": _reduced("sum"), "mean": _reduced("mean"), "amax": _reduced("max"),
    "group_norm": lambda r, input, num_groups, weight=None, bias=None, eps=1e-5, **_: _normalised(
        r, input, num_groups, input.shape[1], weight, bias, eps, math.prod(input.shape[2:])),
    "layer_norm": lambda r, input, normalized_shape, weight=None, bias=None, eps=1e-5, **_: _normalised(
        r, input, input.size // math.prod(normalized_shape), math.prod(normalized_shape), weight, bias, eps, 1),
    "batch_norm": lambda r, input, weight, bias, running_mean, running_var, eps=1e-5, **_: _batch_norm(
        r, input, weight, bias, running_mean, running_var, eps),
    "avg_pool2d": _pooled,
}


# -- what each step means --------------------------------------------------------------------------


def _each(x: Tensor, function: str, **settings: float) -> Tensor:
    return EACH[function](x, **settings)


def _pair(a: Tensor, b: Tensor, function: str, shape: Shape, strides: Sequence[Sequence[int]]) -> Tensor:
    left, right = (each.as_strided(shape, of) for each, of in zip((a, b), strides, strict=True))
    return PAIRS[function](left, right)


def _convolve(x: Tensor, weight: Tensor, bias: Tensor | None = None, *, transposed: bool, channels: int, units: int,
              sides: Sequence[int], large: Sequence[int], kernel: Sequence[int], stride: list[int], padding: list[int],
              dilation: list[int], groups: int) -> Tensor:
    x = x.view(1, channels, *sides)
    if not transposed:
        return F.conv2d(x, weight.view(units, channels // groups, *kernel), bias, stride, padding, dilation, groups)
    weight = weight.view(groups, -1, channels // groups).transpose(1, 2).reshape(channels, units // groups, *kernel)
    extra = [o - ((s - 1) * t - 2 * p + d * (k - 1) + 1) for o, s, t, p, d, k in
             zip(large, sides, stride, padding, dilation, kernel, strict=True)]
    return F.conv_transpose2d(x, weight, bias, stride, padding, extra, groups, dilation)


def _normalise(x: Tensor, weight: Tensor, bias: Tensor, groups: int, size: int, weights: int, inner: int, eps: float
               ) -> Tensor:
    grouped = x.view(groups, size)
    centred = grouped - grouped.mean(1, keepdim=True)
    standard = centred * (centred.square().mean(1, keepdim=True) + eps).rsqrt()
    return standard.view(-1, weights, inner) * weight[:, None] + bias[:, None]


EACH: dict[str, Callable[..., Tensor]] = {
    "relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "exp": torch.exp, "log": torch.log,
    "neg": torch.neg, "sqrt": torch.sqrt, "rsqrt": torch.rsqrt, "abs": torch.abs, "reciprocal": torch.reciprocal,
    "expm1": torch.expm1, "log1p": torch.log1p, "silu": F.silu, "erf": torch.erf, "sin": torch.sin, "cos": torch.cos,
    "gelu": F.gelu, "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "elu": lambda x, alpha, scale, input_scale: scale * torch.where(x > 0, x, alpha * torch.expm1(input_scale * x)),
    "leaky_relu": lambda x, slope: F.leaky_relu(x, slope),
    "softplus": lambda x, beta, threshold: F.softplus(x, beta, threshold),
    "clamp": lambda x, low, high: x.clamp(low, high)}
PAIRS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "pow": torch.pow,
    "maximum": torch.maximum, "minimum": torch.minimum}
REDUCE: dict[str, Callable[[Tensor], Tensor]] = {
    "sum": lambda x: x.sum(1), "mean": lambda x: x.mean(1), "max": lambda x: x.amax(1)}
MEANING: dict[str, Callable[..., Tensor]] = {
    "each": _each, "pair": _pair, "convolution": _convolve, "normalise": _normalise,
    "linear": lambda x, w, b=None, *, rows, size, units: F.linear(x.view(rows, size), w.view(units, size), b),
    "product": lambda a, b, m, k, n: a.view(m, k) @ b.view(k, n),
    "softmax": lambda x, function, size, inner: (
        torch.softmax if function == "softmax" else torch.log_softmax)(x.view(-1, size, inner), 1),
    "reduce": lambda x, function, size: REDUCE[function](x.view(-1, size)),
    "average": lambda x, sides, large, kernel: F.avg_pool2d(
        x.view(-1, *sides)[:, :large[0] * kernel[0], :large[1] * kernel[1]], kernel, ceil_mode=True),
    "strided": lambda x, offset, shape, strides: x[_affine(offset, strides, tuple(shape)).flatten()],
    "take": lambda x, table: x[table.long()],
    "join": lambda *parts, runs: torch.cat([parts[of][start:start + count] for of, start, _, count in runs]),
}
