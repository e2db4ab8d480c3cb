"""One photo file to upright 8-bit sRGB pixels: formats, colour profiles, the test for grey.

Not here: which files there are (`sources`), CIELAB (`lab`).
"""
