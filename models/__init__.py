"""Networks, their adversarial training, colour metrics, checkpoints, bundles and colorizing."""
