"""How good bundles colour photos, as a Markdown table: a row each, with 90 % intervals over photos.

    python -m benchmarks.quality [NAME=]BUNDLE... --images DIR [--side 128] [--l1 NAME]
        [--photos test|unchosen|all] [--json FILE] [--grid FILE --across 8]

A BUNDLE may also be a run's folder: its best colours. All grey and the truth stand beside them.
`--photos` says which photos of DIR are measured on:

- `test`: those that `python -m benchmarks.without_test` leaves out and `benchmarks.hour`
  never looks at, for bundles that come from these;
- `unchosen`: for bundles of searches over DIR with `test_fraction: 0`, the tenth that these hold
  out without the 128 photos that choose the epoch;
- `all`: photos that no bundle has seen.

Generators colour photos at their own size; their colours are then resized to `--side`. Rows whose
names end in -s1, -s2, ... are seeds of one recipe and are summed up, mean (smallest to largest).
`--l1` names the row or recipe trained on L1 alone of which KIDs are shares; by default it is `l1`.
The measures: docs/quality.md.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn import functional

from analysis.stored_run.run import open_run
from benchmarks.photo_measures import KID, KID_SHARE, Measured, PhotoMeasures, share_of
from benchmarks.recordings.judge import FULL_SIDE, FeatureNetwork
from benchmarks.recordings.partition import assign
from data_pipeline.batches import load_batch
from data_pipeline.cache.build import PhotoCache, build_cache
from data_pipeline.errors import InputError
from data_pipeline.sources.by_name import open_source
from data_pipeline.split import split_by_content
from models.bundle.store import load_bundle
from models.metrics.gamut import displayed_colors
from models.metrics.unseen import MetricInterval
from models.networks.generator import Generator
from search.finetune.stored_generator import load_generator
from search.finetune.trial_choice import chosen_trial

#: photos of the held-out tenth that choose a training's best epoch
CHOOSING = 128
GREY, TRUTH, L1 = "grey", "truth", "l1"
#: columns of the table
TITLES = {
    KID: "KID x1000",
    KID_SHARE: "of L1's",
    "grey_skill": "`grey_skill`",
    "colorfulness_share": "colourfulness, of the photos'",
    "ab_hf_ratio": "`ab_hf_ratio`",
    "frechet_ab_share": "`frechet_ab`, of grey's",
    "green_kept": "green kept",
    "orange_sky": "orange skies",
    "hue_error_top": "hue error top",
    "hue_error_middle": "middle",
    "hue_error_bottom": "bottom",
}
TILE = 128
GAP = 4
TITLE_HEIGHT = 14

Rows = dict[str, dict[str, MetricInterval]]


class Colorizer(NamedTuple):
    """A generator in eval mode and the side of the photos that it is shown."""

    generator: Generator
    image_size: int

    def __call__(self, L_N1HW: Tensor) -> Tensor:
        """Colours in [-1, 1] at the size of L, also in [-1, 1]."""
        small = self._resized(L_N1HW, self.image_size)
        with torch.inference_mode():
            ab_N2HW = torch.cat([self.generator(part) for part in small.split(32)])
        return self._resized(ab_N2HW, L_N1HW.shape[-1])

    @staticmethod
    def _resized(photos_NCHW: Tensor, side: int) -> Tensor:
        if photos_NCHW.shape[-1] == side:
            return photos_NCHW
        return functional.interpolate(photos_NCHW, (side, side), mode="bilinear", antialias=True)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("bundles", nargs="+", metavar="[NAME=]BUNDLE")
    parser.add_argument("--images", required=True)
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--photos", choices=("test", "unchosen", "all"), default="test")
    parser.add_argument("--l1", metavar="NAME", default=L1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--grid", type=Path)
    parser.add_argument("--across", type=int, default=8, help="photos of the picture")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    try:
        colorizers = dict(map(open_generator, options.bundles))
        cache = build_cache(open_source(options.images), image_size=options.side)
        features = FeatureNetwork(side=FULL_SIDE)
    except InputError as error:
        parser.error(str(error))
    if len(colorizers) < len(options.bundles):
        parser.error("all rows must have different names: take NAME=BUNDLE")
    photos = chosen_rows(cache, options.photos)
    if options.grid:
        picture(cache, photos, colorizers, options.across).save(options.grid)
    measures = PhotoMeasures(*_load(cache, photos), features)
    measured = {
        GREY: measures.measure(torch.zeros_like(measures.ab)),
        **{name: measures.measure(each(measures.L)) for name, each in colorizers.items()},
        TRUTH: measures.measure(measures.ab),
    }
    rows = with_shares(measured, options.l1)
    recipes = summed_up(rows)
    print(f"{len(photos)} photos of {options.side} px\n")
    print("\n".join(table(rows, recipes)))
    if options.json:
        plain = {"photos": len(photos), "side": options.side, "rows": rows, "recipes": recipes}
        options.json.write_text(json.dumps(plain, indent=1) + "\n")


def open_generator(argument: str) -> tuple[str, Colorizer]:
    """The name of a row and what it is about; InputError for what is no bundle and no run."""
    name, _, place = argument.rpartition("=")
    folder = Path(place)
    if not name:
        name = folder.resolve().name
    if (folder / "run.json").exists():
        run = open_run(folder)
        trial = chosen_trial(run, None, by="colour", command="benchmarks.quality")
        stored = load_generator(run, trial.trial_id)
        return name, Colorizer(stored.generator.eval(), stored.settings.image_size)
    bundle = load_bundle(folder)
    return name, Colorizer(bundle.generator, bundle.image_size)


def chosen_rows(cache: PhotoCache, kind: str) -> npt.NDArray[np.int64]:
    """Rows of the cache that are measured on."""
    if kind == "test":
        return assign(cache.hashes)["test"]
    if kind == "unchosen":
        return split_by_content(cache.hashes).validation[CHOOSING:]
    return np.arange(len(cache))


def with_shares(measured: Mapping[str, Measured], l1: str) -> Rows:
    """All measures by row and name, KIDs also as shares of those of L1 alone, if that is a row."""
    others = [each for name, each in measured.items() if l1 in (name, recipe_of(name))]
    rows: Rows = {}
    for name, each in measured.items():
        shares = {KID_SHARE: share_of(each, others)} if others else {}
        rows[name] = {**each.measures, **shares}
    return rows


def recipe_of(name: str) -> str | None:
    """What NAME-s1, NAME-s2, ... are seeds of."""
    found = re.fullmatch(r"(.+)-s\d+", name)
    return found[1] if found else None


def summed_up(rows: Rows) -> Rows:
    """Mean, smallest and largest value of the seeds of each recipe that has several."""
    seeds: dict[str, list[dict[str, MetricInterval]]] = {}
    for name, measures in rows.items():
        if recipe := recipe_of(name):
            seeds.setdefault(recipe, []).append(measures)
    return {
        recipe: {
            measure: MetricInterval(statistics.fmean(values), min(values), max(values))
            for measure in members[0]
            if (values := [each[measure].value for each in members])
        }
        for recipe, members in seeds.items()
        if len(members) > 1
    }


def table(rows: Rows, recipes: Rows) -> Iterator[str]:
    """Lines of Markdown: rows with intervals, recipes with the range of their seeds."""
    columns = [name for name in TITLES if any(name in row for row in rows.values())]
    yield f"| | {' | '.join(TITLES[name] for name in columns)} |"
    yield f"|{'---|' * (len(columns) + 1)}"
    labelled = [*rows.items(), *((f"**{name}**, seeds", row) for name, row in recipes.items())]
    for label, row in labelled:
        yield f"| {label} | {' | '.join(shown(row[name]) for name in columns)} |"


def shown(interval: MetricInterval) -> str:
    """A cell: digits up to the second of the interval's width; without one the value."""
    if interval.high - interval.low < 1e-4 * max(1.0, abs(interval.value)):
        return f"{interval.value:.3g}"
    return str(interval)


def picture(
    cache: PhotoCache,
    photos: npt.NDArray[np.int64],
    colorizers: Mapping[str, Colorizer],
    n_shown: int,
) -> Image.Image:
    """The first photos by file name, a row each: grey, as generators colour them, the truth."""
    names = cache.names
    L_N1HW, ab_N2HW = _load(cache, np.array(sorted(photos, key=lambda i: names[i])[:n_shown]))
    columns = {
        GREY: torch.zeros_like(ab_N2HW),
        **{name: each(L_N1HW) for name, each in colorizers.items()},
        TRUTH: ab_N2HW,
    }
    step = TILE + GAP
    size = len(columns) * step - GAP, len(L_N1HW) * step - GAP + TITLE_HEIGHT
    whole = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(whole)
    for column, (name, each) in enumerate(columns.items()):
        draw.text((column * step, 0), name, fill="black")
        rgb_NHW3 = displayed_colors(L_N1HW, each).rgb.permute(0, 2, 3, 1)
        for row, tile in enumerate((rgb_NHW3 * 255.0).round().byte().numpy()):
            image = Image.fromarray(tile).resize((TILE, TILE), Image.Resampling.BICUBIC)
            whole.paste(image, (column * step, TITLE_HEIGHT + row * step))
    return whole


def _load(cache: PhotoCache, rows: npt.NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    L_N1HW, ab_N2HW = load_batch(cache, rows)
    return L_N1HW.contiguous(), ab_N2HW.contiguous()


if __name__ == "__main__":
    main()
