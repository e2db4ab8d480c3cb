"""Photos as CIELAB bytes on disk: built once, memory-mapped by every trial of a machine.

Not here: batches for the networks (`batches`), which photos train (`split`).
"""
