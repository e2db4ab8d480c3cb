"""Trackers that people use beside a run's folder, MLflow and W&B: they get what is new in it.

Not here: TensorBoard, which is always written (`search.tune.tensorboard`); the rows themselves.
"""
