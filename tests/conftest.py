from __future__ import annotations

import os

# Tests work on tiny arrays, on which a second thread only waits: on a busy machine of two cores one
# thread was 80 times as fast as two. Read by torch and NumPy when they are first imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
