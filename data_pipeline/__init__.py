"""Photos in, CIELAB tensors out: scan, filter, cache, split, batch. Imports none of ours."""
