"""A page on this machine to colorize photos in a browser: upload, strength, before and after.

Needs the extra `demo` (Gradio). The page is served to this machine alone and sends nothing on.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from PIL import Image

from data_pipeline.decode.photo import PhotoError, decode_photo, read_file
from data_pipeline.errors import InputError
from models.bundle.store import Bundle
from models.colorize.pipeline import colorize

LOCAL_ADDRESS = "127.0.0.1"
MAX_STRENGTH = 3.0
MAX_UPLOAD = "200mb"


def serve_demo(bundle: Bundle, *, port: int | None = None, wait: bool = True) -> str:
    """Serve the page on this machine's local address and return that address.

    `port` None takes the first free one from 7860 on. With `wait` this says the address
    on standard error and returns when interrupted.

    Raises InputError when Gradio is not installed or the port is taken.
    """
    page = build_page(bundle)
    try:
        _, address, _ = page.launch(
            server_name=LOCAL_ADDRESS,
            server_port=port,
            share=False,
            inbrowser=False,
            quiet=True,
            prevent_thread_lock=True,
            max_file_size=MAX_UPLOAD,
            **_looks(),
        )
    except OSError as error:
        raise InputError(f"the port must be free, but: {error}; name another") from error
    if wait:
        print(f"open {address} in a browser; Ctrl-C ends this", file=sys.stderr, flush=True)
        page.block_thread()
    return str(address)


def build_page(bundle: Bundle) -> Any:
    """Lay out the page, a `gradio.Blocks`. Raises InputError when Gradio is not installed."""
    # Gradio reports its use over the network unless this is set before it is imported
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    try:
        import gradio
    except ImportError as error:
        raise InputError(
            "the demo needs Gradio, which is not installed; run: pip install 'chromatune[demo]'"
        ) from error

    def run(path: str | None, strength: float) -> tuple[str, str] | None:
        if path is None:
            return None
        try:
            pictures = before_and_after(bundle, Path(path), strength)
        except PhotoError as error:
            raise gradio.Error(str(error), print_exception=False) from error
        # as Gradio saves pictures itself, except that a download has the photo's name
        before, after = (
            gradio.processing_utils.save_pil_to_cache(
                picture, cache_dir=result.GRADIO_CACHE, name=Path(path).stem, format="jpeg"
            )
            for picture in pictures
        )
        return before, after

    with gradio.Blocks(
        title="chromatune", analytics_enabled=False, delete_cache=(600, 600)
    ) as page:
        gradio.Markdown("# chromatune\nColour for a grey photo. Colours are a guess, not a record.")
        with gradio.Row():
            with gradio.Column(scale=1):
                photo = gradio.Image(label="Photo", type="filepath", sources=["upload"])
                strength = gradio.Slider(
                    0,
                    MAX_STRENGTH,
                    value=1,
                    step=0.05,
                    label="Strength",
                    info="0 grey, 1 as learned, above 1 more",
                )
            with gradio.Column(scale=2):
                result = gradio.ImageSlider(label="Before and after", format="jpeg")
        for changed in (photo.change, strength.change):
            # while the slider moves, only its last place counts
            changed(
                run,
                [photo, strength],
                result,
                show_progress="minimal",
                trigger_mode="always_last",
            )
    return page


def before_and_after(
    bundle: Bundle, path: Path, strength: float
) -> tuple[Image.Image, Image.Image]:
    """Read a photo: (as the network sees it, in grey; in colour), at its own size.

    Raises PhotoError, with the reason, when it cannot be read.
    """
    rgb = decode_photo(read_file(path))
    grey, coloured = (
        colorize(rgb, bundle.generator, image_size=bundle.image_size, fit=bundle.fit, strength=each)
        for each in (0.0, strength)
    )
    return Image.fromarray(grey), Image.fromarray(coloured)


def _looks() -> dict[str, Any]:
    """Fonts that every machine has; Gradio's own are fetched from the network."""
    import gradio

    theme = gradio.themes.Soft(
        font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
    )
    return {"theme": theme, "footer_links": []}
