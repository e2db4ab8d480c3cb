"""Every trial of a run in order, with reasons, repeats and formats; runs beside each other.

Not here: the statistics that it ranks by (`statistics`).
"""
