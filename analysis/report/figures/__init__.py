"""Figures of a run: each file computes an `...Info` from it and draws a Plotly figure from that.

Not here: the page that shows them (`report.render`), the statistics in them (`statistics`).
"""
