"""Colour for people's photos: decoded, predicted, enlarged and saved at full resolution.

Not here: reading photos for training (`data_pipeline.decode`), the trained weights (`bundle`).
"""
