"""Words from a visitor or a file, made fit for Markdown."""

from __future__ import annotations


def escaped(text: str) -> str:
    """Text for Markdown: what a visitor typed is shown as it is."""
    for sign in "\\`*_[]$~<>#":
        text = text.replace(sign, f"\\{sign}")
    return text
