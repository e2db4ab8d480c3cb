"""Pre-trainings that several trials share: what they depend on, and where their epochs are kept.

Not here: how an epoch is trained (`training`), and which trial waits for which (`search.run`).
"""
