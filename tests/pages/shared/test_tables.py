"""The button beside a table offers it as Markdown and LaTeX, and a run's name in it stays text."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def page() -> None:
    from pages.shared.tables import offer
    from vaecore.tables import Cell, Column, Table

    offer(Table([Column("run", "Run"), Column("elbo", "ELBO", unit="nats", digits=1)],
                [{"run": "a|b_c", "elbo": Cell(-86.34, spread=0.41)}]), "numbers")


def test_a_table_is_offered_in_every_form() -> None:
    at = AppTest.from_function(page).run()
    assert not at.exception
    markdown, latex = at.code
    assert "| a\\|b\\_c | -86.3 ± 0.4 |" in markdown.value and markdown.language == "markdown"
    assert r"a\textbar{}b\_c & $-86.3 \pm 0.4$ \\" in latex.value
    [button] = at.get("download_button")
    assert button.proto.label == "CSV"
