"""One adversarial training: settings, step, loop, weight average, checkpoints and device.

Not here: the networks themselves, what their colours are worth (`metrics`); no Ray, no Optuna.
"""
