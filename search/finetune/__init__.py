"""From a search's winner to something to use: training it on, exporting a bundle.

Not here: what a bundle holds (`models.bundle`).
"""
