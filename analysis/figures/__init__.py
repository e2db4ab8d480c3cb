"""Figures of a run: each file computes an `...Info` from it and draws a Plotly figure from that."""
