"""How much longer colorizing takes than what cannot be avoided, on two folders of photos.

    python -m benchmarks.colorize [--photos 8] [--rounds 5] [--json FILE]

- 12-megapixel JPEGs, colour and grey, against Pillow decoding and encoding them again with the same
  tables, in as many threads.
- 256-pixel JPEGs against the network alone, shown the same squares from memory in batches of 16.
- One photo of 100 megapixels, for its memory.

The photos are drawn (smooth areas, outlines and grain that makes JPEGs of a camera's size), the
networks have random weights. Reference and ours take turns; medians are compared,
by the clock and of the processor's time (which other programs disturb less).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from models.bundle.store import Bundle
from models.colorize.paths import colorize_paths
from models.colorize.pipeline import small_lightness
from models.colorize.prediction import cut_squares, network_size, predict_chroma
from models.networks.generator import Generator

QUALITY = 90
BATCH = 16


def draw_photo(path: Path, size: tuple[int, int], *, mode: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    width, height = size
    grey = np.zeros((height, width), np.float32)
    for n, weight in ((3, 0.5), (12, 0.3), (60, 0.2)):
        coarse = Image.fromarray(rng.random((n, n)).astype(np.float32))
        grey += weight * np.asarray(coarse.resize(size, Image.Resampling.BICUBIC))
    grey[grey > 0.55] += 0.2
    rgb = np.stack([grey * tint for tint in (1.0, 0.9, 0.8)], axis=-1) * 230
    rgb += rng.normal(0, 5, (height, width)).astype(np.float32)[..., None]
    image = Image.fromarray(rgb.clip(0, 255).astype(np.uint8)).convert(mode)
    image.save(path, quality=QUALITY)


def random_bundle(complexity: int, image_size: int) -> Bundle:
    torch.manual_seed(0)
    generator = Generator(complexity).train()
    with torch.no_grad():
        generator(torch.randn(4, 1, image_size, image_size))
        generator.out[0].weight.mul_(4)
    return Bundle(generator=generator.eval(), config={"image_size": image_size})


def take_turns(
    rounds: int, reference: Callable[[], None], ours: Callable[[], None]
) -> dict[str, tuple[float, float]]:
    """Median seconds of each, by the clock and of the processor, taken in turns."""
    times: dict[str, list[tuple[float, float]]] = {"reference": [], "ours": []}
    for number in range(rounds + 1):
        for name, run in (("reference", reference), ("ours", ours)):
            started, used = time.perf_counter(), time.process_time()
            run()
            if number:  # the first round warms up
                times[name].append((time.perf_counter() - started, time.process_time() - used))
    return {
        name: (statistics.median(t[0] for t in kept), statistics.median(t[1] for t in kept))
        for name, kept in times.items()
    }


def large_photos(mode: str, photos: int, rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder, "in"), Path(folder, "out")
        source.mkdir()
        out.mkdir()
        for i in range(photos):
            draw_photo(source / f"{i}.jpg", (4000, 3000), mode=mode, seed=i)
        paths = sorted(source.iterdir())
        bundle = random_bundle(24, 128)

        def again(path: Path) -> None:
            with Image.open(path) as image:
                image.load()
                image.save(out / path.name, qtables=image.quantization)  # type: ignore[attr-defined]

        def reference() -> None:
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                list(pool.map(again, paths))

        def ours() -> None:
            results = colorize_paths([source], out, bundle, force=True)
            assert not any(result.failed for result in results)

        times = take_turns(rounds, reference, ours)
        return summary(
            f"{photos} photos of 12 megapixels, {'colour' if mode == 'RGB' else 'grey'}",
            "Pillow: decode and encode",
            times,
            photos=photos,
            megabytes_a_photo=round(paths[0].stat().st_size / 1e6, 1),
        )


def small_photos(complexity: int, image_size: int, photos: int, rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder, "in"), Path(folder, "out")
        source.mkdir()
        for i in range(photos):
            draw_photo(source / f"{i:04}.jpg", (256, 256), mode="RGB", seed=i)
        bundle = random_bundle(complexity, image_size)
        size = network_size(256, 256, image_size, "crop")
        squares = np.concatenate(
            [
                cut_squares(small_lightness(Image.open(path), *size), image_size)
                for path in sorted(source.iterdir())
            ]
        )

        def reference() -> None:
            for first in range(0, len(squares), BATCH):
                predict_chroma(bundle.generator, squares[first : first + BATCH])

        def ours() -> None:
            results = colorize_paths([source], out, bundle, force=True)
            assert not any(result.failed for result in results)

        times = take_turns(rounds, reference, ours)
        return summary(
            f"{photos} photos of 256 x 256, network of width {complexity} at {image_size}",
            "the network alone",
            times,
            photos=photos,
        )


def huge_photo() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "huge.jpg")
        draw_photo(path, (2500, 2500), mode="RGB", seed=0)
        with Image.open(path) as image:
            large = image.resize((10_000, 10_000))
        large.save(path, quality=QUALITY)
        del large
        context = multiprocessing.get_context("spawn")
        with context.Pool(1) as pool:
            seconds, peak = pool.apply(_colorize_one, (path,))
        return {
            "what": "one photo of 100 megapixels",
            "seconds": round(seconds, 1),
            "peak_mb": round(peak),
        }


def folder_memory(photos: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "in")
        source.mkdir()
        for i in range(photos):
            draw_photo(source / f"{i}.jpg", (4000, 3000), mode="RGB", seed=i)
        context = multiprocessing.get_context("spawn")
        with context.Pool(1) as pool:
            seconds, peak = pool.apply(_colorize_one, (source,))
        what = f"{photos} photos of 12 megapixels, first run of a process"
        return {"what": what, "seconds": round(seconds, 1), "peak_mb": round(peak)}


def torch_memory() -> dict[str, Any]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        peak = pool.apply(_peak_mb)
    return {"what": "the imports alone (torch)", "seconds": 0.0, "peak_mb": round(peak)}


def _colorize_one(path: Path) -> tuple[float, float]:
    started = time.perf_counter()
    results = colorize_paths([path], path.parent / "out", random_bundle(24, 128))
    assert not any(result.failed for result in results)
    return time.perf_counter() - started, _peak_mb()


def _peak_mb() -> float:
    """Most memory this process held; `getrusage` would count that of the process it came from."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1.024 / 1000


def summary(
    what: str, reference: str, times: dict[str, tuple[float, float]], *, photos: int, **more: Any
) -> dict[str, Any]:
    (their_clock, their_cpu), (our_clock, our_cpu) = times["reference"], times["ours"]
    return {
        "what": what,
        "reference": reference,
        "reference_ms_a_photo": round(1000 * their_clock / photos, 2),
        "ours_ms_a_photo": round(1000 * our_clock / photos, 2),
        "ratio": round(our_clock / their_clock, 2),
        "processor_ratio": round(our_cpu / their_cpu, 2),
        **more,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--photos", type=int, default=8, help="large photos; small ones are 16 times"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    photos, rounds = options.photos, options.rounds
    rows = [
        large_photos("RGB", photos, rounds),
        large_photos("L", photos, rounds),
        small_photos(46, 256, 16 * photos, rounds),
        small_photos(46, 128, 16 * photos, rounds),
    ]
    print(f"{'photos':55} {'reference':27} {'ms':>8} {'ours ms':>8} {'ratio':>6} {'processor':>10}")
    for row in rows:
        print(
            f"{row['what']:55} {row['reference']:27} {row['reference_ms_a_photo']:8.1f} "
            f"{row['ours_ms_a_photo']:8.1f} {row['ratio']:6.2f} {row['processor_ratio']:10.2f}"
        )
    memory = [torch_memory(), folder_memory(photos), huge_photo()]
    for row in memory:
        print(f"{row['what']:55} {row['seconds']:.1f} s, at most {row['peak_mb']:.0f} MB")
    if options.json:
        result = {"processors": os.cpu_count(), "speed": rows, "memory": memory}
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
