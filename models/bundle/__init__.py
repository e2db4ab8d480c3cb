"""A trained generator as a folder for people: weights, configuration, card, ONNX.

Not here: checkpoints of a training (`training.checkpoint`).
"""
