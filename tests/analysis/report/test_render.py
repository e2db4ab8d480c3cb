"""The report as a file: whole, self-contained and safe whatever a run holds."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from analysis.leaderboard.ranked_trials import build_leaderboard
from analysis.leaderboard.winners import winners
from analysis.report.render import write_report
from analysis.statistics.discriminator_health import discrimination_words
from analysis.stored_run.run import Run, open_run
from analysis.stored_run.run_folder_error import RunFolderError
from tests.analysis.fabricate import Plan, fabricate_run

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&"


class Elements(HTMLParser):
    """Collects what a page's elements refer to and the scripts it holds."""

    def __init__(self) -> None:
        super().__init__()
        self.references: list[str] = []
        self.n_scripts = 0
        self.images: list[str] = []
        self.json: dict[str, str] = {}
        self._id: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.n_scripts += tag == "script"
        self._id = found.get("id") if tag == "script" else None
        for name in ("src", "href", "action", "data", "poster", "srcset"):
            if found.get(name):
                self.references.append(found[name] or "")
        if tag == "img" and found.get("src"):
            self.images.append(found["src"] or "")
        assert not any(name.startswith("on") for name in found)

    def handle_data(self, data: str) -> None:
        if self._id:
            self.json[self._id] = self.json.get(self._id, "") + data


def parsed(page: Path) -> Elements:
    elements = Elements()
    elements.feed(page.read_text(encoding="utf-8"))
    return elements


def test_the_page_is_whole_and_self_contained(run: Run, tmp_path: Path) -> None:
    page = write_report(run, tmp_path / "deep" / "report.html")
    elements = parsed(page)
    assert all(ref.startswith(("data:", "#")) for ref in elements.references)
    assert "default-src 'none'" in page.read_text(encoding="utf-8")
    figures = {"ratio-drift", "predictors", "overlay", "validation", "timeline", "history"}
    figures |= {"importance", "parallel", "slice", "pareto"}
    assert {f"figure-{name}" for name in (*figures, "contour")} | {"loss-curves"} == set(
        elements.json
    )
    for content in elements.json.values():
        json.loads(content)
    assert len(json.loads(elements.json["loss-curves"])) == len(run.trials)
    # Three parts of six trials, in the pictures' section, and the winners' at the top.
    chosen = winners(build_leaderboard(run), run.objective)
    assert len(elements.images) == 3 * 6 + 2 + len(chosen.labels)
    assert list(page.parent.iterdir()) == [page]


def test_hostile_texts_stay_texts(tmp_path: Path) -> None:
    folder = fabricate_run(tmp_path / "run", Plan(n_trials=6, n_windows=20))
    for name in ("run.json", "config.json", "data.json"):
        content = json.loads((folder / name).read_text())
        content |= {"name": HOSTILE, "source": HOSTILE, "skipped": {HOSTILE: 3}, HOSTILE: HOSTILE}
        content["status" if name == "run.json" else "extra"] = HOSTILE
        (folder / name).write_text(json.dumps(content))
    with (folder / "trials.jsonl").open("a") as file:
        for state in ("failed", "complete"):
            row = {
                "trial_id": f"bad-{state}",
                "state": state,
                "reason": HOSTILE,
                "device": HOSTILE,
                "adversarial_trend": HOSTILE,
                "generator_lr": HOSTILE,
                "ab_swd": HOSTILE,
            }
            file.write(json.dumps(row) + "\n")
    page = write_report(open_run(folder), tmp_path / "report.html")
    text = page.read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    plain = write_report(
        open_run(fabricate_run(tmp_path / "plain", Plan(n_trials=6, n_windows=20))),
        tmp_path / "plain.html",
    )
    assert parsed(page).n_scripts == parsed(plain).n_scripts


def rows_only(folder: Path, rows: list[dict[str, Any]]) -> Run:
    (folder / "trials.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return open_run(folder)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [{"trial_id": "0000", "state": "running"}],
        [{"trial_id": "0000", "state": "failed", "reason": "out of memory"}],
        [{"trial_id": "0000", "state": "complete"}],
        [{"trial_id": "0000", "state": "complete", "ab_swd": 0.1, "parameter_ratio": 0.8}],
        [
            {"trial_id": f"{i:04d}", "state": "complete", "image_size": 64 * (1 + i % 2)}
            for i in range(12)
        ],
    ],
)
def test_a_run_with_little_in_it_still_gets_a_report(
    tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    folder = fabricate_run(tmp_path / "run", Plan(n_trials=0))
    page = write_report(rows_only(folder, rows), tmp_path / "report.html")
    text = page.read_text(encoding="utf-8")
    assert "not determined" in text
    if not any(row["state"] == "complete" for row in rows):
        assert "No trial of this run has ended well" in text


@pytest.mark.parametrize("n", [0, 1, 3, 5])
def test_few_trials_get_an_honest_sentence_for_every_question(tmp_path: Path, n: int) -> None:
    plan = Plan(n_trials=n, running=0, failed=0, pruned=0, pictures=False)
    page = write_report(open_run(fabricate_run(tmp_path / "run", plan)), tmp_path / "report.html")
    answers = statement_rows(page)
    assert len(answers) == 7
    assert {verdict for _, verdict, _ in answers} == {"not determined"}
    assert all(sentence.startswith("This run cannot tell: ") for *_, sentence in answers)
    # How many trainings it takes, though none was seen.
    assert "about 280 trainings with ratios from 0.2 to 3.2" in answers[0][2]


def test_the_page_answers_for_the_target_ratio_that_is_asked(run: Run, tmp_path: Path) -> None:
    """At 0.8 the shared run is balanced as it was planted; a doubling further it is not."""
    for ratio, wanted in ((0.8, "yes"), (1.6, "no")):
        page = write_report(run, tmp_path / "report.html", target_ratio=ratio)
        (answer,) = [row for row in statement_rows(page) if "balanced" in row[0]]
        assert f"ratio of {ratio:.2f} balanced" in answer[0]
        assert answer[1] == wanted
        assert f"target ratio of {ratio}" in page.read_text(encoding="utf-8")


def statement_rows(page: Path) -> list[tuple[str, str, str]]:
    """Question, verdict and sentence of each answer on the page."""
    row = r'<dt>(.*?)</dt><dd><span class="verdict[^"]*">(.*?)</span> (.*?)</dd>'
    return re.findall(row, page.read_text(encoding="utf-8"))


def test_damaged_pictures_and_curves_are_left_out(tmp_path: Path) -> None:
    plan = Plan(n_trials=3, n_windows=20, failed=0, pruned=0, running=0)
    folder = fabricate_run(tmp_path / "run", plan)
    (folder / "trials/0000/samples.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    (folder / "trials/0001/originals.png").unlink()
    (folder / "trials/0001/curves.jsonl").write_text('{"epoch": 1, "adversarial": "x"}\n{"ep')
    (folder / "trials/0002/curves.jsonl").write_bytes(b"\xff\xfe\n")
    elements = parsed(write_report(open_run(folder), tmp_path / "report.html"))
    assert len(elements.images) in (2 + 2 + 3, 3 + 2 + 3)
    assert set(json.loads(elements.json["loss-curves"])) == {"0000", "0001"}


def test_an_unfit_request_writes_nothing(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    out.write_text("before")
    with pytest.raises(RunFolderError, match="target ratio"):
        write_report(run, out, target_ratio=-1.0)
    assert out.read_text() == "before"
    assert list(tmp_path.iterdir()) == [out]


def test_reading_a_run_leaves_it_untouched_and_needs_neither_ray_nor_torch(
    run_folder: Path, tmp_path: Path
) -> None:
    before = {path: path.stat().st_mtime_ns for path in run_folder.rglob("*")}
    code = (
        "import sys; from pathlib import Path; from analysis.stored_run.run import open_run; "
        "from analysis.report.render import write_report; "
        "from analysis.leaderboard.compare import compare_runs; "
        "run = open_run(sys.argv[1]); write_report(run, Path(sys.argv[2])); compare_runs([run]); "
        "print([m for m in ('ray', 'torch', 'search') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(run_folder), str(tmp_path / "report.html")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""
    assert {path: path.stat().st_mtime_ns for path in run_folder.rglob("*")} == before


def test_large_runs_stay_small(tmp_path: Path) -> None:
    """A fixed budget of numbers: eight times the trials make no eight times the page."""
    sizes = {}
    for n in (20, 160):
        plan = Plan(n_trials=n, n_windows=90, pictures=False)
        run = open_run(fabricate_run(tmp_path / str(n), plan))
        text = write_report(run, tmp_path / f"{n}.html").read_text(encoding="utf-8")
        sizes[n] = len(text) - len(re.search(r"plotly\.js v.*?</script>", text, re.S)[0])  # type: ignore[index]
    assert sizes[160] < 6 * sizes[20]
    assert sizes[160] < 7_000_000


def test_whether_the_discriminator_still_tells_is_said_in_words(run: Run, tmp_path: Path) -> None:
    page = write_report(run, tmp_path / "report.html").read_text(encoding="utf-8")
    chosen = winners(build_leaderboard(run), run.objective)
    aucs = run.trials.set_index("trial_id")["discriminator_auc"]
    for trial_id in chosen.labels:
        words = discrimination_words(aucs[trial_id])
        assert f"On unseen photos its discriminator {words}." in page
        assert (
            f"; on unseen photos it {words}"
            in json.loads(parsed(tmp_path / "report.html").json["loss-curves"])[trial_id]["words"]
        )
    # A run from before it was measured says nothing of it.
    folder = tmp_path / "old"
    shutil.copytree(run.folder.location, folder)
    for rows in (folder / "trials.jsonl", *folder.glob("trials/*/validation.jsonl")):
        lines = [json.loads(line) for line in rows.read_text().splitlines()]
        for line in lines:
            line.pop("discriminator_auc", None)
        rows.write_text("".join(json.dumps(line) + "\n" for line in lines))
    page = write_report(open_run(folder), tmp_path / "old.html").read_text(encoding="utf-8")
    assert "AUC" not in page.split("<script")[0]
    assert "n unseen photos" not in page.split("<script>")[0]


def test_trials_that_saw_no_test_photos_have_no_chip_for_their_guards(tmp_path: Path) -> None:
    folder = fabricate_run(tmp_path / "run")
    path = folder / "trials.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    ended = [row for row in rows if row["state"] == "complete"]
    for row in ended:
        row.pop("test_guards", None)
    ended[0]["test_guards"] = "unclear"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    page = write_report(open_run(folder), tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count('<span class="chip unclear">unclear</span>') >= 1
    assert '<span class="chip –">' not in page
