"""KL by dimension as bars: plain HTML, because it changes at every evaluation and must not blink."""

from __future__ import annotations

import html
from typing import Any

import streamlit as st

MOST = 40  # bars


def kl_bars(title: str, evaluations: list[dict[str, Any]]) -> None:
    """The KL of each latent dimension at the last evaluation, largest first, with its number."""
    if not evaluations:
        st.caption(f"{title}: no evaluation yet.")
        return
    last = evaluations[-1]
    try:
        active = int(last["active"])
        rows = [(f"{name}{index}", float(value)) for name, values in last["kl"].items()
                for index, value in enumerate(values)]
    except (KeyError, TypeError, ValueError, AttributeError):
        st.caption(f"{title}: its last evaluation in metrics.jsonl is damaged.")
        return
    if not rows:
        st.caption(f"{title}: this family has no KL.")
        return
    rows.sort(key=lambda row: -row[1])
    largest = max(rows[0][1], 1e-9)
    lines = "".join(
        f'<div style="display:flex;align-items:center;gap:.6rem;height:1.35rem">'
        f'<span style="width:2.8rem;text-align:right;opacity:.75">{html.escape(label)}</span>'
        f'<span style="flex:1"><span style="display:block;height:.85rem;border-radius:3px;'
        f'background:var(--st-primary-color,#6A6FE0);width:{max(0.3, 100 * value / largest):.1f}%"></span></span>'
        f'<span style="width:3.6rem;font-variant-numeric:tabular-nums">{value:.2f}</span></div>'
        for label, value in rows[:MOST])
    rest = f"<div style='opacity:.75'>and {len(rows) - MOST} smaller ones</div>" if len(rows) > MOST else ""
    total = sum(value for _, value in rows)
    st.html(f'<div role="img" aria-label="KL by dimension of {html.escape(title)}, in nats">'
            f'<div style="margin-bottom:.3rem"><b>{html.escape(title)}</b> · {total:.2f} nats in all, '
            f'{active} of {len(rows)} dimensions active</div>{lines}{rest}</div>')
