"""A bundle's README: a model card in the Hugging Face Hub's format.

Format: YAML front matter between two `---` lines, then Markdown
(https://huggingface.co/docs/hub/model-cards).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from models.bundle.rgb_onnx import RGB_ONNX_NAME
from models.metrics.names import METRIC_MEANINGS
from models.networks.complexity import generator_parameters

CARD_NAME = "README.md"
SAMPLES_NAME = "samples.png"
_SAMPLES_TEXT = "Grey inputs left, outputs right"

_LIMITS = """\
- It was trained on one kind of photo, namely those described above. On portraits, interiors or
  documents expect weak or wrong colours.
- Colour is a guess: a grey photo does not say whether a car was red or blue. Do not take the
  output as evidence of how anything looked.
- Colours are predicted at about the size it was trained at and scaled up along the photo's edges,
  so small coloured details in large photos are missed.\
"""


def model_card(config: Mapping[str, Any], *, has_samples: bool, has_rgb_onnx: bool = False) -> str:
    """Write the card of the bundle with this `config.json`, as Markdown with YAML front matter."""
    return "\n".join(
        [
            "---",
            yaml.safe_dump(
                _front_matter(config, has_samples), sort_keys=False, allow_unicode=True
            ).rstrip(),
            "---",
            "",
            *_opening(config, has_samples=has_samples),
            *_section("Data", _rows(config.get("data")), ("", "")),
            *_section("Hyperparameters", _rows(config.get("hyperparameters")), ("", "")),
            *_section(
                "Balance of the two networks",
                _rows(config.get("balance")),
                ("", "discriminator over generator"),
            ),
            *_section("Training", _rows(config.get("training")), ("", "")),
            *_metrics(config),
            "## Limits",
            "",
            _LIMITS,
            "",
            *_how_to_use(config),
            *(_rgb_onnx(config) if has_rgb_onnx else []),
            *_licence(config),
            *_section("Versions", _rows(config.get("versions")), ("", "")),
        ]
    )


def _front_matter(config: Mapping[str, Any], has_samples: bool) -> dict[str, Any]:
    front: dict[str, Any] = {
        **({"license": str(config["licence"])} if config.get("licence") else {}),
        "library_name": "chromatune",
        "pipeline_tag": "image-to-image",
        "tags": ["image-colorization", "colorization", "cielab", "unet", "gan", "onnx"],
    }
    if has_samples:
        # https://huggingface.co/docs/hub/model-cards-components
        front["widget"] = [{"text": _SAMPLES_TEXT, "output": {"url": SAMPLES_NAME}}]
    tested = _intervals(config)
    values = {name: numbers[0] for name, numbers in tested.items()}
    results = [
        {"type": name, "name": name, "value": value}
        for name, value in (values or _mapping(config.get("metrics"))).items()
        if isinstance(value, int | float)
    ]
    if results:
        source = _text(_mapping(config.get("data")).get("source", "photos"))
        front["model-index"] = [
            {
                "name": f"chromatune trial {_text(config.get('trial_id', ''))}".strip(),
                "results": [
                    {
                        "task": {"type": "image-to-image", "name": "photo colorization"},
                        "dataset": {
                            "type": "custom",
                            "name": source,
                            "split": "test" if tested else "validation",
                        },
                        "metrics": results,
                    }
                ],
            }
        ]
    return front


def _opening(config: Mapping[str, Any], *, has_samples: bool) -> list[str]:
    complexity, size = config["generator_complexity"], config["image_size"]
    lines = [
        "# A photo colorizer",
        "",
        f"A UNet of width {complexity} ({generator_parameters(complexity):,} parameters) that sees "
        "the lightness L\\* of a photo and predicts its colours, the a\\* and b\\* of CIELAB. "
        f"It was trained against a UNet discriminator on photos of {size} x {size} pixels by "
        "chromatune, which searched for a pair of networks that keep each other in balance"
        + (f" (trial {_cell(config['trial_id'])})." if "trial_id" in config else "."),
        "",
    ]
    if broken := config.get("broken_guards"):
        lines += [f"**Its colours fail the guards of the search:** {_cell(broken)}.", ""]
    if has_samples:
        lines += [f"![{_SAMPLES_TEXT}]({SAMPLES_NAME})", ""]
        lines += ["Photos it was not trained on: grey inputs left, outputs right.", ""]
    return lines


def _metrics(config: Mapping[str, Any]) -> list[str]:
    metrics = _mapping(config.get("metrics"))
    tested = _intervals(config)
    known = [name for name in METRIC_MEANINGS if name in metrics]
    others = [name for name in metrics if name not in METRIC_MEANINGS]
    grey = _mapping(config.get("test_grey_metrics" if tested else "grey_metrics"))
    rows: list[tuple[str, ...]] = []
    for name in known + others:
        meaning = METRIC_MEANINGS.get(name, "").replace("*", r"\*")
        value, all_grey = _text(metrics[name]), _text(grey.get(name))
        if tested:
            this, low, high = map(_text, tested.get(name, (None, None, None)))
            rows.append((name, this, f"{low} to {high}", all_grey, value, meaning))
        else:
            rows.append((name, value, all_grey, meaning))
    if not tested:
        held_out = "on photos held out of training"
        return _section("How good it is", rows, (held_out, "this", "all grey", "meaning"))
    header = ("on photos that chose nothing", "this", "90 % interval", "all grey")
    table = _section("How good it is", rows, (*header, "this, on photos that chose it", "meaning"))
    guards = [f"`{_cell(g)}` {_cell(v)}" for g, v in _mapping(config.get("test_guards")).items()]
    verdicts = f"Guards of the search, on photos that chose nothing: {', '.join(guards)}. "
    verdicts += "Unclear is a guard whose bound lies in the interval."
    return [*table, verdicts, ""] if guards else table


def _intervals(config: Mapping[str, Any]) -> dict[str, tuple[float, ...]]:
    """Value and ends of the interval of each metric on the test photos, where they are whole."""
    return {
        str(name): tuple(numbers)
        for name, numbers in _mapping(config.get("test_metrics")).items()
        if isinstance(numbers, list)
        and len(numbers) == 3
        and all(isinstance(number, int | float) for number in numbers)
    }


def _section(title: str, rows: Sequence[tuple[str, ...]], header: tuple[str, ...]) -> list[str]:
    if not rows:
        return []
    return [
        f"## {title}",
        "",
        "| " + " | ".join(header) + " |",
        "|" + " --- |" * len(header),
        *("| " + " | ".join(_cell(entry) for entry in row) + " |" for row in rows),
        "",
    ]


def _how_to_use(config: Mapping[str, Any]) -> list[str]:
    size = config["image_size"]
    fit = ', fit="squash"' if config.get("fit") == "squash" else ""
    return [
        "## How to use",
        "",
        "On photos and folders, at their own resolution:",
        "",
        "```sh",
        "chromatune colorize THIS_FOLDER PHOTO_OR_FOLDER --out COLOURED",
        "```",
        "",
        "In Python, with chromatune installed (a Hub name works as well as a folder):",
        "",
        "```python",
        "import numpy as np",
        "from PIL import Image",
        "",
        "from models.bundle.hub import PretrainedGenerator",
        "from models.colorize.pipeline import colorize",
        "",
        'generator = PretrainedGenerator.from_pretrained("THIS_FOLDER")',
        'photo = np.asarray(Image.open("photo.jpg").convert("RGB"))',
        f"rgb = colorize(photo, generator, image_size={size}{fit})",
        'Image.fromarray(rgb).save("coloured.png")',
        "```",
        "",
        "Without torch, by onnxruntime:",
        "",
        "```python",
        "import numpy as np",
        "import onnxruntime",
        "from PIL import Image",
        "from skimage.color import lab2rgb, rgb2lab",
        "",
        "# any sides divisible by 32",
        f'photo = Image.open("photo.jpg").convert("RGB").resize(({size}, {size}))',
        "lab = rgb2lab(np.asarray(photo)).astype(np.float32)",
        "L_N1HW = lab[None, None, :, :, 0] / 50 - 1",
        'session = onnxruntime.InferenceSession("THIS_FOLDER/generator.onnx")',
        '(ab_N2HW,) = session.run(None, {"L": L_N1HW})',
        "lab[:, :, 1:] = ab_N2HW[0].transpose(1, 2, 0) * 127",
        'Image.fromarray((lab2rgb(lab) * 255).round().astype(np.uint8)).save("coloured.png")',
        "```",
        "",
    ]


def _rgb_onnx(config: Mapping[str, Any]) -> list[str]:
    size = config["image_size"]
    return [
        "Without torch and without CIELAB, sRGB in and out, N x 3 x H x W from 0 to 1:",
        "",
        "```python",
        "import numpy as np",
        "import onnxruntime",
        "from PIL import Image",
        "",
        f'photo = Image.open("photo.jpg").convert("RGB").resize(({size}, {size}))',
        "rgb_N3HW = np.float32(photo).transpose(2, 0, 1)[None] / 255",
        f'session = onnxruntime.InferenceSession("THIS_FOLDER/{RGB_ONNX_NAME}")',
        '(coloured,) = session.run(None, {"rgb": rgb_N3HW})',
        "pixels = np.uint8((coloured[0].transpose(1, 2, 0) * 255).round())",
        'Image.fromarray(pixels).save("coloured.png")',
        "```",
        "",
    ]


def _licence(config: Mapping[str, Any]) -> list[str]:
    licence = config.get("licence")
    return ["## Licence", "", f"`{_cell(licence)}`", ""] if licence else []


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _rows(value: object) -> list[tuple[str, ...]]:
    """One (name, value) a row; the names of nested entries are joined by dots."""
    rows: list[tuple[str, ...]] = []
    for name, entry in _mapping(value).items():
        if isinstance(entry, Mapping):
            rows += [(f"{name}.{inner}", text) for inner, text in _rows(entry)]
        else:
            rows.append((str(name), _text(entry)))
    return rows


def _text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    return str(value)


def _cell(text: object) -> str:
    """Keep a value inside its table cell."""
    return " ".join(str(text).replace("|", "\\|").split())
