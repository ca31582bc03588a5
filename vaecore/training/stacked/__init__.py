"""Several trainings in one process: small models that differ in no shape take their steps as one.

A step of a small model is mostly the cost of asking for it. Sixteen of them asked for at once cost little more than
one: on one CPU thread 4 to 10 times less a model, at MNIST's size nothing less. Each member stays an ordinary run, with
its own seed, rate, beta, generator and folder, equal to the run alone within float error.

`alike` says which configurations may go together, `engine` takes the steps, `session` leads the members' sessions.
"""

from vaecore.training.stacked.alike import groups
from vaecore.training.stacked.engine import Stack, Unstackable
from vaecore.training.stacked.session import train_stacked
from vaecore.training.stacked.trial import tried

__all__ = ["Stack", "Unstackable", "groups", "train_stacked", "tried"]
