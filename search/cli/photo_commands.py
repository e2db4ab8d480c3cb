"""`chromatune export`, `push` and `data`: bundles of runs, and the photos that searches use."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from data_pipeline.errors import InputError
from search.cli.results_commands import RUN_HELP, add_trial_flags, run_location


def add_parsers(commands: Any) -> None:
    """Add the commands to the sub-parsers of `commands`."""
    export = commands.add_parser("export", help="write a trial's generator as a bundle")
    export.set_defaults(run=_export)
    export.add_argument("folder", type=run_location, metavar="RUN", help=RUN_HELP)
    export.add_argument("--out", type=Path, required=True, metavar="DIR")
    add_trial_flags(export)
    export.add_argument(
        "--data-name",
        metavar="NAME",
        help="the photos' name for the model card (default for a folder: a private folder)",
    )
    export.add_argument(
        "--licence",
        metavar="ID",
        help="for the model card, an identifier of the Hub such as mit (default: none is named)",
    )
    export.add_argument(
        "--onnx-rgb",
        action="store_true",
        help="also an ONNX file from sRGB to sRGB, with the conversions to and from Lab in it",
    )
    export.add_argument("--force", action="store_true", help="replace an existing bundle")

    push = commands.add_parser("push", help="publish a bundle on the Hugging Face Hub")
    push.set_defaults(run=_push)
    push.add_argument("bundle", type=Path, metavar="BUNDLE")
    push.add_argument("repository", metavar="OWNER/NAME")
    push.add_argument("--private", action="store_true", help="a new model is seen by its owner")
    push.add_argument("--dry-run", action="store_true", help="say what would be pushed, and where")

    data = commands.add_parser("data", help="look at a folder of photos, or build its cache")
    data_commands = data.add_subparsers(title="commands", metavar="COMMAND", required=True)
    inspect = data_commands.add_parser("inspect", help="what a search would use and drop, and why")
    inspect.set_defaults(run=_inspect)
    build = data_commands.add_parser("build", help="build the cache that a search would use")
    build.set_defaults(run=_build)
    build.add_argument("--image-size", type=int, default=128, metavar="S")
    build.add_argument("--fit", choices=("crop", "squash"), default="crop")
    sample = data_commands.add_parser("sample", help="write one photo, in grey, to try colorize on")
    sample.set_defaults(run=_sample)
    sample.add_argument("--out", type=Path, required=True, metavar="FILE", help="a .png or .jpg")
    for parser in (inspect, build, sample):
        parser.add_argument("source", metavar="DIR", help="folder or kaggle:OWNER/NAME")


def _export(arguments: argparse.Namespace) -> int:
    from search.finetune.export import export_trial

    exported = export_trial(
        arguments.folder,
        arguments.out,
        trial=arguments.trial,
        by=arguments.by or "colour",
        data_name=arguments.data_name,
        licence=arguments.licence,
        onnx_rgb=arguments.onnx_rgb,
        force=arguments.force,
    )
    guards = exported.broken_guards
    failing = f"; its colours fail the guards: {guards}" if guards else ""
    winner = "" if arguments.trial else f" (best {arguments.by or 'colour'})"
    print(
        f"wrote the generator of trial {exported.trial_id}{winner} to {arguments.out}{failing}",
        file=sys.stderr,
    )
    return 0


def _push(arguments: argparse.Namespace) -> int:
    from models.bundle.publish import prepare_publication, push

    publication = prepare_publication(arguments.bundle, arguments.repository)
    if arguments.dry_run:
        for name, size in publication.files.items():
            print(f"{name}  {size / 1e3:.0f} kB")
        licence = publication.licence or "none is named; export it with --licence"
        print(f"would go to the Hub's model {publication.repository}; licence: {licence}")
        return 0
    address = push(publication, private=arguments.private)
    print(f"pushed to {address}", file=sys.stderr)
    return 0


def _inspect(arguments: argparse.Namespace) -> int:
    from data_pipeline.sources.by_name import open_source
    from data_pipeline.sources.inspection import inspect_source
    from search.progress.display import Progress

    progress = Progress()
    with progress.photos() as on_photo:
        found = inspect_source(open_source(arguments.source), progress=on_photo)
    for skipped in found.skipped:
        print(f"{skipped.name}: {skipped.reason}")
    formats = ", ".join(f"{n} {name}" for name, n in found.formats.items())
    print(f"usable: {found.kept} photos ({found.distinct} distinct; {formats})")
    if found.kept:
        for what, values in (
            ("width", found.width_quartiles),
            ("height", found.height_quartiles),
            ("chroma", found.chroma_quartiles),
        ):
            low, first, median, third, high = (f"{value:.4g}" for value in values)
            print(f"{what}: {low} to {high}, median {median}, half between {first} and {third}")
    print(f"dropped: {len(found.skipped)}")
    for kind, count in found.dropped.items():
        print(f"  {count} {kind}")
    return 0


def _build(arguments: argparse.Namespace) -> int:
    from data_pipeline.cache.build import build_cache
    from data_pipeline.sources.by_name import open_source
    from models.networks.sides import check_side
    from search.progress.display import Progress

    check_side(arguments.image_size, "--image-size")
    progress = Progress()
    with progress.photos() as on_photo:
        cache = build_cache(
            open_source(arguments.source),
            image_size=arguments.image_size,
            fit=arguments.fit,
            progress=on_photo,
        )
    print(f"{len(cache)} photos, {len(cache.skipped)} skipped: {cache.path}")
    return 0


def _sample(arguments: argparse.Namespace) -> int:
    from PIL import Image

    from data_pipeline.decode.photo import PhotoError
    from data_pipeline.sources.by_name import open_source

    for entry in open_source(arguments.source).list_photos().entries:
        try:
            pixels = entry.read().decode(at_least=512)
        except PhotoError:
            continue
        try:
            Image.fromarray(pixels).convert("L").save(arguments.out)
        except (OSError, ValueError) as error:
            raise InputError(f"--out must be a writable .png or .jpg, but: {error}") from error
        print(f"wrote {entry.name} in grey to {arguments.out}", file=sys.stderr)
        return 0
    raise InputError(f"a sample needs a photo that can be read, but {arguments.source} has none")
