"""Photos that belong together: a folder's contact sheet, a film in frames.

Not here: one photo, and folders of photos that have nothing to do with each other (`colorize`).
"""
