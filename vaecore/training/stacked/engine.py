"""One step of several models at once.

The family's own `objective` is taken over the models by `vmap`, with its gradient, and written down once as a list of
operations (`make_fx`), so that each family's mathematics stays where it is and a step costs no tracing. What a family
draws is heard in a rehearsal; at each step every model's generator then draws its own, as it does alone. The losses
are summed, not averaged, so that each model's gradient is its own; gradients are cut and followed model by model.

All that the models learn lies in one matrix (M, P), a row a model. The parameters of each model, and the moments of its
optimizer, are views of its row: to evaluate or to save it, nothing has to be copied.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch.optim.adam import adam
from torch.optim.sgd import sgd
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from vaecore.models import Batch, Family
from vaecore.schedules.kl_cost import Charge, Plain
from vaecore.training.course import FLUSH_STEPS, Course
from vaecore.training.step import Step

ALIGNED = 16  # numbers: each parameter begins where a vector instruction likes to read
DRAWS = (torch.randn, torch.rand, torch.randint, torch.randperm)  # whose result follows from the generator alone
MOST_WORK = 6_000_000  # operations of a forward pass; beyond, a CPU is busy with one model already
AGREES = 1e-3  # relative: how far a stacked loss or gradient may lie from the model's own
AGREES_HALF = 0.1  # ... in bfloat16


class Unstackable(Exception):
    """Why trainings cannot be taken together, as a sentence."""


class Draw(NamedTuple):
    """One request for randomness: which function, with what besides the generator."""

    function: Callable[..., Tensor]
    args: tuple[Any, ...]
    given: tuple[tuple[str, Any], ...]

    def of(self, generator: torch.Generator) -> Tensor:
        """The numbers that a generator gives for the request."""
        return self.function(*self.args, **dict(self.given), generator=generator)


class Stack:
    """Courses whose steps are taken at once. Raises `Unstackable` where they cannot be, or where it would not pay."""

    def __init__(self, courses: Sequence[Course]) -> None:
        self.courses = list(courses)
        try:
            self._make()
        except Unstackable:
            raise
        except Exception as error:  # whatever vmap, torch.fx and copying a model refuse
            raise Unstackable(f"{_title(self.courses[0])} with these choices cannot be computed for several models at "
                              "once: they take as many steps one by one, and find the same") from error

    def _make(self) -> None:
        first = self.courses[0]
        _check(self.courses)
        self.device, self.plain = first.device, isinstance(first.training.kl, Plain)
        self.generators = [course.generator for course in self.courses]
        self.draws, names, work = _rehearsed(first)
        if self.device.type == "cpu" and work > MOST_WORK:
            raise Unstackable(f"a step of {work / 1e6:,.0f} million operations keeps a processor busy by itself: "
                              "stacked they would not be faster")
        self._gather(names)
        self.longest = torch.tensor([course.training.clip_norm or math.inf for course in self.courses],
                                    device=self.device)
        self.cut = any(course.training.clip_norm for course in self.courses)
        self.log = torch.zeros(len(self.courses), FLUSH_STEPS, len(Step._fields), device=self.device)
        for course, log in zip(self.courses, self.log, strict=True):
            log.copy_(course.log)
            course.log = log
            if course.training.graphs:
                course.graphs = "eager: its steps are taken together with those of others"
        self.graph = self._traced()
        self._agrees()

    def update(self, steps: Mapping[int, int]) -> None:
        """One update of each course in `steps`, by its place, at its own step; the others stay as they are."""
        at = [steps.get(place, 0) for place in range(len(self.courses))]
        numbers = [course.beta_and_rate(step) for course, step in zip(self.courses, at, strict=True)]
        nats = [course.training.kl.nats_at(step, course.total) for course, step in zip(self.courses, at, strict=True)]
        beta, free = torch.tensor([[beta for beta, _ in numbers], nats], dtype=torch.float32).to(self.device)
        with torch.no_grad():
            indices = [course.indices(step) for course, step in zip(self.courses, at, strict=True)]
            batch = self._batch(indices, self.generators)
            resting = [place for place in range(len(self.courses)) if place not in steps]
            before = [tensor[resting] for tensor in self.rest.values()] if resting else []
            terms, gradients = self.graph(self.learned, self.rest, batch, self._drawn(self.generators), beta, free)
            for tensor, values in zip(self.rest.values(), before, strict=False):  # nothing where all take a step
                tensor[resting] = values
            torch._foreach_copy_(self.gradient_parts, gradients)
            norms = torch.linalg.vector_norm(self.gradients, dim=1)
            if self.cut:
                self.gradients.mul_((self.longest / (norms + 1e-6)).clamp_(max=1.0)[:, None])
            for place in steps:
                self._follow(place, numbers[place][1])
            self.counts.copy_(self.updates[:, None])
            rows = [place * FLUSH_STEPS + len(course.pending) % FLUSH_STEPS
                    for place, course in enumerate(self.courses)]
            self.log.view(-1, len(Step._fields)).index_copy_(0, torch.tensor(rows, device=self.device),
                                                             torch.cat([terms, norms[None]]).T)
        for place, step in steps.items():
            self.courses[place].pending.append((step, *numbers[place]))

    def _follow(self, place: int, rate: float) -> None:
        """One model's own update along its gradient."""
        training, optimizer = self.courses[place].training, self.courses[place].trainer.optimizer
        assert optimizer is not None
        row, gradient, defaults = self.rows[place], self.gradients[place], optimizer.defaults
        if training.optimizer == "sgd":
            sgd([row], [gradient], [None], fused=True, weight_decay=training.weight_decay, momentum=0.0, lr=rate,
                dampening=0.0, nesterov=False, maximize=False)
            return
        first, second = self.moments
        adam([row], [gradient], [first[place]], [second[place]], [], [self.updates[place]], fused=True, amsgrad=False,
             beta1=defaults["betas"][0], beta2=defaults["betas"][1], lr=rate, weight_decay=training.weight_decay,
             eps=defaults["eps"], maximize=False, decoupled_weight_decay=training.optimizer == "adamw")

    # --- how it is made

    def _gather(self, names: Iterable[str]) -> None:
        """Lay all that the models learn into rows, with their moments, and make their parameters views of these."""
        models, places, end = [course.model for course in self.courses], {}, 0
        known = dict(models[0].named_parameters())
        self.names = [name for name in known if name in set(names)]
        for name in self.names:
            places[name] = end
            end += -(-known[name].numel() // ALIGNED) * ALIGNED
        count = len(models)

        def empty() -> Tensor:
            return torch.zeros(count, end, device=self.device)

        def parts(rows: Tensor) -> list[Tensor]:
            return [rows.as_strided((count, *known[name].shape), (end, *known[name].stride()), places[name])
                    for name in self.names]

        self.rows, self.gradients, self.moments = empty(), empty(), (empty(), empty())
        self.updates = torch.zeros(count, device=self.device)
        self.counts = torch.zeros(count, len(self.names), device=self.device)  # the same, a number a parameter
        self.learned, self.gradient_parts = parts(self.rows), parts(self.gradients)
        moments = [parts(moment) for moment in self.moments]
        for place, course in enumerate(self.courses):
            own, optimizer = dict(course.model.named_parameters()), course.trainer.optimizer
            assert optimizer is not None
            for index, name in enumerate(self.names):
                parameter, view = own[name], self.learned[index][place]
                view.copy_(parameter.data)
                parameter.data = view
                if course.training.optimizer == "sgd":
                    continue
                state, ours = optimizer.state[parameter], [moment[index][place] for moment in moments]
                if state:
                    ours[0].copy_(state["exp_avg"])
                    ours[1].copy_(state["exp_avg_sq"])
                    self.updates[place] = self.counts[place, index] = float(state["step"])
                state |= {"step": self.counts[place, index], "exp_avg": ours[0], "exp_avg_sq": ours[1]}
        self.rest: dict[str, Tensor] = {}
        for name in self._others(models[0]):
            tensors = [_named(model)[name] for model in models]
            self.rest[name] = torch.stack([tensor.data for tensor in tensors])
            for place, tensor in enumerate(tensors):
                tensor.data = self.rest[name][place]

    def _others(self, model: Family) -> list[str]:
        return [name for name in _named(model) if name not in set(self.names)]

    def _batch(self, indices: Sequence[Tensor], generators: Sequence[torch.Generator]) -> Batch:
        """The batch of each, (M, B, ...): of data that all share taken at once."""
        feeds = [course.feed for course in self.courses]
        if all(feed is feeds[0] for feed in feeds):
            return feeds[0].batches(indices, generators)
        each = [feed.batch(rows, generator) for feed, rows, generator in zip(feeds, indices, generators, strict=True)]
        return {name: torch.stack([batch[name] for batch in each]) for name in each[0]}

    def _drawn(self, generators: Sequence[torch.Generator]) -> list[Tensor]:
        """What the objective asks of randomness, (M, ...) each, a generator a model."""
        return [torch.stack([draw.of(generator) for generator in generators]) for draw in self.draws]

    def _traced(self) -> Callable[..., tuple[Tensor, list[Tensor]]]:
        """The terms (3, M) of all models and the gradients of what they learn, as a list of operations."""
        base = _Objective(copy.deepcopy(self.courses[0].model))
        term = self.courses[0].training.kl
        precision = self.courses[0].trainer.precision

        def one(learned: list[Tensor], rest: dict[str, Tensor], batch: Batch, noise: list[Tensor], beta: Tensor,
                free: Tensor) -> tuple[Tensor, ...]:
            tensors = {f"model.{name}": tensor for name, tensor in [*zip(self.names, learned, strict=True),
                                                                    *rest.items()]}
            with _Given(self.draws, noise), precision:
                objective = torch.func.functional_call(base, tensors, (batch, self.generators[0]))
            terms = objective.terms(None if self.plain else Charge(term, free))
            return terms.loss(beta), terms.reconstruction, terms.kl

        def all_of_them(learned: list[Tensor], rest: dict[str, Tensor], batch: Batch, noise: list[Tensor],
                        beta: Tensor, free: Tensor) -> tuple[Tensor, list[Tensor]]:
            with torch.enable_grad():
                learned = [tensor.detach().requires_grad_() for tensor in learned]
                loss, reconstruction, kl = torch.vmap(one)(learned, rest, batch, noise, beta, free)
                gradients = torch.autograd.grad(loss.sum(), learned)
            return torch.stack([loss, reconstruction, kl]).detach(), list(gradients)

        beta, free = torch.ones(2, len(self.courses), device=self.device)
        before = {name: tensor.clone() for name, tensor in self.rest.items()}
        try:
            batch, generators = self._tried_on()
            return make_fx(all_of_them)(self.learned, self.rest, batch, self._drawn(generators), beta, free)
        finally:
            for name, tensor in before.items():
                self.rest[name].copy_(tensor)

    def _tried_on(self) -> tuple[Batch, list[torch.Generator]]:
        """A first batch of each and generators as they are then; the models' own draw nothing."""
        generators = [_copy(generator) for generator in self.generators]
        return self._batch([course.indices(0) for course in self.courses], generators), generators

    def _agrees(self) -> None:
        """Raise `Unstackable` where a stacked loss or gradient is not the model's own: nothing is taken on trust."""
        batch, generators = self._tried_on()
        one_each = torch.ones(len(self.courses), device=self.device)
        before = {name: tensor.clone() for name, tensor in self.rest.items()}
        nats = torch.tensor([course.training.kl.nats_at(1, 1) for course in self.courses], device=self.device)
        try:
            with torch.no_grad():
                terms, stacked = self.graph(self.learned, self.rest, batch, self._drawn(generators), one_each, nats)
            self._compared(terms[0].tolist(), stacked)
        finally:  # those that are refused train alone, as if they had never been tried
            for name, tensor in before.items():
                self.rest[name].copy_(tensor)

    def _compared(self, losses: Sequence[float], stacked: Sequence[Tensor]) -> None:
        """Raise `Unstackable` where losses or gradients of all at once are not those of each by itself."""
        for place, course in enumerate(self.courses):
            generator = _copy(course.generator)
            loss, gradients = _own(course, self.names, generator)
            bounds = AGREES_HALF if isinstance(course.trainer.precision, torch.autocast) else AGREES
            found = torch.cat([gradient[place].flatten() for gradient in stacked])
            length = float(gradients.norm())
            if not (math.isfinite(loss) and math.isfinite(length)):
                continue  # it has diverged, which is said at its next step
            if (abs(losses[place] - loss) > bounds * (1 + abs(loss))
                    or float((found - gradients).norm()) > bounds * (1e-3 + length)):
                raise Unstackable(f"{_title(course)} computed for several models at once is not the same: a loss of "
                                  f"{losses[place]:.6g} in place of {loss:.6g} nats")


class _Objective(nn.Module):
    """A model whose call is its objective, as `functional_call` wants it."""

    def __init__(self, model: Family) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch, generator: torch.Generator) -> Any:
        return self.model.objective(batch, generator)


class _Heard(TorchFunctionMode):
    """Notes what is drawn; raises `Unstackable` for what depends on more than the generator."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.title, self.draws = title, list[Draw]()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if kwargs.get("generator") is not None:
            self.draws.append(_draw(func, args, kwargs, self.title))
        return func(*args, **kwargs)


class _Given(TorchFunctionMode):
    """Hands out noise that was drawn before, in the order in which it was heard."""

    def __init__(self, draws: Sequence[Draw], noise: Sequence[Tensor]) -> None:
        super().__init__()
        self.left = list(zip(draws, noise, strict=True))

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.Tensor.contiguous and kwargs:  # how pixels lie in memory, which vmap has no word for
            return args[0]
        if kwargs.get("generator") is None:
            return func(*args, **kwargs)
        draw, noise = self.left.pop(0) if self.left else (None, None)
        if draw != _draw(func, args, kwargs, "the family"):
            raise Unstackable("its randomness is asked for in another order than alone")
        return noise


def _draw(function: Any, args: Any, kwargs: Mapping[str, Any], title: str) -> Draw:
    if function not in DRAWS or any(isinstance(each, Tensor) for each in args):
        raise Unstackable(f"{title} draws from probabilities that each model has for itself "
                          f"({function.__name__})")
    return Draw(function, args, tuple(sorted((name, value) for name, value in kwargs.items() if name != "generator")))


def _check(courses: Sequence[Course]) -> None:
    """Raise `Unstackable` for what is known without trying."""
    for course in courses:
        title = _title(course)
        if course.total == 0:
            raise Unstackable(f"{title} is solved in closed form and takes no steps")
        if course.turns is not None:
            raise Unstackable("an encoder that is trained aggressively takes turns of its own")
        if course.trainer.auxiliaries.members:
            name = next(iter(course.trainer.auxiliaries.members))
            raise Unstackable(f"its {name} learns by a loss of its own between the steps")
        if type(course.model).at_step is not Family.at_step:
            raise Unstackable(f"what {title} is trained on changes from step to step")
        if course.feed.files:
            raise Unstackable("its data are read from a file while it trains")
        if [(name, m.shape) for name, m in course.model.modalities.items()] != [
                (name, m.shape) for name, m in courses[0].model.modalities.items()]:
            raise Unstackable("their observations have not the same shapes")


def _rehearsed(course: Course) -> tuple[list[Draw], list[str], int]:
    """What an objective draws, the names of what gets a gradient, and the operations of its forward pass."""
    model, generator = copy.deepcopy(course.model), _copy(course.generator)
    batch = course.feed.batch(course.indices(0), generator)
    heard, counted = _Heard(_title(course)), FlopCounterMode(display=False)
    with heard, counted, course.trainer.precision:
        objective = model.objective(batch, generator)
    terms = objective.terms(None)
    known = dict(model.named_parameters())
    gradients = torch.autograd.grad(terms.loss(), list(known.values()), allow_unused=True)
    return (heard.draws, [name for name, gradient in zip(known, gradients, strict=True) if gradient is not None],
            counted.get_total_flops())


def _own(course: Course, names: Sequence[str], generator: torch.Generator) -> tuple[float, Tensor]:
    """The loss of a model alone on its first batch, in nats, and the gradient of what is in `names`, flat."""
    batch, kl = course.feed.batch(course.indices(0), generator), course.training.kl
    with course.trainer.precision:
        objective = course.model.objective(batch, generator)
    loss = objective.terms(None if isinstance(kl, Plain) else kl.at(1, 1)).loss()
    known = dict(course.model.named_parameters())
    gradients = torch.autograd.grad(loss, [known[name] for name in names])
    return loss.detach().item(), torch.cat([gradient.flatten() for gradient in gradients])


def _named(model: Family) -> dict[str, Tensor]:
    """All tensors of a model by name."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


def _copy(generator: torch.Generator) -> torch.Generator:
    found = torch.Generator(generator.device)
    found.set_state(generator.get_state())
    return found


def _title(course: Course) -> str:
    return course.config.model.title
