"""Plotly figures that stand still, from plain numbers; Plotly is imported when one is drawn."""
