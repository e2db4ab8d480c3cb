"""Paints the built-in landscapes: what a scene holds, its terrain, sky, cover and light.

Not here: the landscapes as a source of photos (`sources.landscapes`).
"""
