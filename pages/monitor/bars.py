"""KL by dimension as bars: plain HTML, because it changes at every evaluation and must not blink."""

from __future__ import annotations

import html

import numpy as np
import streamlit as st

from pages.shared.palette import PRIMARY
from vaecore.comparison.history import History

MAX_BARS = 40
NOTHING = 0.1  # nats: a run that says less is not to look as if it said much


def kl_bars(title: str, record: History, reach: float = 0.0) -> None:
    """The KL of each latent dimension at the last evaluation of a record that has one, largest first.

    The longest bar stands for `reach` nats, so that bars of several runs compare.
    """
    values = np.nan_to_num(record.kl[-1], nan=0.0, posinf=0.0, neginf=0.0)
    order = np.argsort(-values, kind="stable")
    longest = max(float(values.max()), reach, NOTHING)
    lines = "".join(
        f'<div style="display:flex;align-items:center;gap:.6rem;height:1.35rem">'
        f'<span style="width:2.8rem;text-align:right;opacity:.75">{html.escape(record.names[i])}</span>'
        f'<span style="flex:1"><span style="display:block;height:.85rem;border-radius:3px;'
        f'background:{PRIMARY};width:{max(0.3, 100 * values[i] / longest):.1f}%"></span></span>'
        f'<span style="width:3.6rem;font-variant-numeric:tabular-nums">{values[i]:.2f}</span></div>'
        for i in order[:MAX_BARS])
    rest = f"<div style='opacity:.75'>and {len(values) - MAX_BARS} smaller ones</div>" if len(values) > MAX_BARS else ""
    _, active = record.evaluated("active")
    known = f", {active[-1]:.0f} of {len(values)} dimension{'s'[: len(values) != 1]} active" if len(active) else ""
    st.html(f'<div role="img" aria-label="KL by dimension of {html.escape(title)}, in nats">'
            f'<div style="margin-bottom:.3rem"><b>{html.escape(title)}</b> · {values.sum():.2f} nats in all'
            f'{known}</div>{lines}{rest}</div>')
