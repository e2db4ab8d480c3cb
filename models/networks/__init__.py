"""The two UNets, their blocks and their sizes in closed form.

Not here: how they are trained (`training`), how they are kept for people (`bundle`).
"""
