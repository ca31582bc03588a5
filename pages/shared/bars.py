"""Numbers by name, each with a bar to the right or to the left of the middle."""

from __future__ import annotations

import html

ROUNDING = 1e-5  # of a standard deviation: single precision goes no farther


def bar(label: str, share: float, said: str, tint: str, *, title: str = "", label_width: str = "5.6rem",
        said_width: str = "3.4rem") -> str:
    """A line: a name, a bar of `share` -1 to 1 of its half, and the number as it is `said`.

    `title` is what a hand that rests on the line is told; the whole name without it.
    """
    long = max(-1.0, min(1.0, share))
    width = 50 * abs(long)
    left = 50 if long >= 0 else 50 - width
    return ('<div style="display:flex;align-items:center;gap:.5rem;height:1.45rem;font-size:.92rem" '
            f'title="{html.escape(title or label)}">'
            f'<span style="width:{label_width};white-space:nowrap;overflow:hidden;text-overflow:ellipsis;opacity:.8" '
            f'>{html.escape(label)}</span>'
            '<span style="flex:1;position:relative;height:.85rem;background:rgba(128,134,170,.13);border-radius:3px">'
            f'<span style="position:absolute;left:{left:.1f}%;width:{max(width, 0.5):.1f}%;height:100%;'
            f'background:{tint};border-radius:3px"></span></span>'
            f'<span style="width:{said_width};text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap">'
            f"{html.escape(said)}</span></div>")


def signed(value: float) -> str:
    """A number with its sign, in two decimals."""
    return f"{value:+.2f}".replace("-", "−")


def plain(value: float, unit: float = 0.0) -> str:
    """A number as a file would have it, in four digits; 0 where it is nothing beside `unit`."""
    return f"{0.0 if abs(value) < ROUNDING * unit else value:.4g}".replace("-", "−")
