"""Where photos come from: a folder, a Kaggle data set or the synthetic landscapes.

Not here: how a file becomes pixels (`decode`), where the pixels are kept (`cache`).
"""
