"""Judging a checkpoint: its evidence over a whole split, log p(x), the use it makes of its code, and a verdict.

Nothing is imported here: pages read the verdict without torch.
"""
