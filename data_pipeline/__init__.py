"""Photos in, CIELAB tensors out: scan, filter, cache, split and batch. Imports none of our other packages."""
