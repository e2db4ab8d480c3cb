"""`chromatune colorize` and `demo`: colour for people's photos."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_pipeline.errors import InputError

if TYPE_CHECKING:
    from models.bundle.store import Bundle
    from models.colorize.paths import PhotoResult

_BUNDLE_HELP = "a folder, or OWNER/NAME of a model on the Hugging Face Hub"


def add_parsers(commands: Any) -> None:
    """Add the commands to the sub-parsers of `commands`."""
    colorize = commands.add_parser("colorize", help="colorize photos with a bundle")
    colorize.set_defaults(run=_colorize)
    colorize.add_argument("bundle", metavar="BUNDLE", help=_BUNDLE_HELP)
    colorize.add_argument(
        "photos", type=Path, nargs="+", metavar="PHOTO_OR_DIR", help="- is standard input"
    )
    colorize.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of the results; for one photo also a file (result.jpg), or - for standard "
        "output; photos whose result is there already are left out",
    )
    colorize.add_argument(
        "--strength", type=float, default=1.0, help="0 grey, 1 as learned, above 1 more"
    )
    colorize.add_argument(
        "--format",
        choices=("jpeg", "png", "webp", "tiff", "avif"),
        help="format of the results (default: that of each photo)",
    )
    colorize.add_argument("--force", action="store_true", help="make existing results again")
    colorize.add_argument("--compare", action="store_true", help="original and result side by side")
    colorize.add_argument(
        "--contact-sheet",
        type=Path,
        metavar="FILE",
        help="also a .jpg of all photos beside their results, with names; 24 on a page",
    )
    colorize.add_argument(
        "--film",
        action="store_true",
        help="PHOTO_OR_DIR is a film in frames: colours are smoothed over time",
    )

    demo = commands.add_parser("demo", help="colorize in the browser, on this machine only")
    demo.set_defaults(run=_demo)
    demo.add_argument("bundle", metavar="BUNDLE", help=_BUNDLE_HELP)
    demo.add_argument("--port", type=int, metavar="P", help="default: the first free one from 7860")


def _colorize(arguments: argparse.Namespace) -> int:
    from models.albums.contact_sheet import check_contact_sheet, write_contact_sheet
    from models.albums.film import colorize_film
    from models.colorize.paths import colorize_paths
    from models.colorize.single import colorize_single, is_single
    from search.progress.photo_counter import PhotoCounter

    photos, out = arguments.photos, arguments.out
    options: dict[str, Any] = {
        "strength": arguments.strength,
        "compare": arguments.compare,
        "output_format": arguments.format,
        "force": arguments.force,
    }
    sheet: Path | None = arguments.contact_sheet
    single = is_single(photos, out)
    if single and (sheet or arguments.film):
        raise InputError(f"--contact-sheet and --film need a folder as --out, but got {out}")
    if sheet and arguments.compare:
        raise InputError("--contact-sheet shows photos beside results; leave out --compare")
    if sheet:
        check_contact_sheet(sheet, photos, out)
    bundle = _open_bundle(arguments.bundle)
    if single:
        result = colorize_single(
            photos, out, bundle, stdin=sys.stdin.buffer, stdout=sys.stdout.buffer, **options
        )
        return _summarise([result], out)
    colorize = colorize_film if arguments.film else colorize_paths
    with PhotoCounter() as progress:
        results = colorize(photos, out, bundle, on_progress=progress.update, **options)
    if sheet:
        pages = write_contact_sheet(sheet, results)
        if len(pages) > 1:
            print(f"contact sheet: {len(pages)} pages, {pages[0]} to {pages[-1]}", file=sys.stderr)
    return _summarise(results, out)


def _summarise(results: list[PhotoResult], out: Path) -> int:
    """Say in one line what was done, before it what went wrong or was lost; the exit code."""
    for result in results:
        if result.message:
            print(f"chromatune: {result.message}", file=sys.stderr)
    n_existed = sum(result.existed for result in results)
    n_made = sum(result.out is not None for result in results) - n_existed
    words = [f"colorized {n_made} of {len(results)} into {out}"]
    if n_existed:
        words.append(f"{n_existed} were there already (--force makes them again)")
    if n_reduced := sum(result.n_reduced for result in results):
        lost = 100 * n_reduced / sum(result.n_pixels for result in results)
        words.append(f"{lost:.1f} % of the pixels lost chroma to stay inside sRGB")
    print("; ".join(words), file=sys.stderr)
    return 1 if any(result.failed for result in results) else 0


def _demo(arguments: argparse.Namespace) -> int:
    from models.colorize.demo import serve_demo

    serve_demo(_open_bundle(arguments.bundle), port=arguments.port)
    return 0


def _open_bundle(name: str) -> Bundle:
    from models.bundle.fetch import open_bundle

    def say(model: str) -> None:
        print(f"fetching {model} from the Hugging Face Hub", file=sys.stderr)

    return open_bundle(name, on_fetch=say)
