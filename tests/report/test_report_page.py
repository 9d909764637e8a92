import base64
import hashlib
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import orjson
import pytest

from apportion.report import gather, load_runs, render, run_of, write_live, write_report
from apportion.run import RunDirectory
from report.made_runs import log_of, make_run, make_study, make_tasks

HOSTILE = [
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    '"><img src=x onerror=alert(3)>',
    "{{ 7 * 7 }}{% raw %}",
    "\u202egnp.exe",
    "x" * 4000,
    "<!-- ]]>",
    "naïve 任务 🐙 مهمة",
    "=1+1",
    "objective",
]


class Page(HTMLParser):
    """What a browser would make of a page: elements, attributes, and the text of each script."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.scripts, self.text, self._inside = [], [], [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._inside = tag if tag in ("script", "style") else ""
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data):
        if self._inside == "script":
            self.scripts[-1] += data
        elif not self._inside:
            self.text.append(data)

    def of(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    return make_study(folder, n_seeds=2)


@pytest.fixture(scope="module")
def html(study):
    return render(load_runs(study))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    return render(load_runs(make_study(folder, ("uniform", "exp3s"), 2, tasks=make_tasks(names=HOSTILE), steps=60)))


def policy_of(page):
    return next(attrs["content"] for attrs in page.of("meta") if attrs.get("http-equiv") == "Content-Security-Policy")


@pytest.mark.parametrize("which", ["html", "hostile"])
def test_the_page_loads_nothing_and_runs_only_its_own_scripts(which, request):
    page = Page(request.getfixturevalue(which))
    for _, attrs in page.elements:
        assert not attrs.keys() & {"src", "srcset", "action", "onerror", "onload", "onclick"}
        assert attrs.get("href", "#").startswith(("#", "data:,"))
    assert [name for name, _ in page.elements if name in ("img", "svg", "iframe", "object", "link")] == ["link"]
    data, library, script = page.scripts
    assert json.loads(data)["figures"]
    hashes = re.findall(r"'sha256-([^']+)'", policy_of(page))
    for text, wanted in zip((library, script), hashes, strict=True):
        assert base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() == wanted
    assert "default-src 'none'" in policy_of(page)


def test_hostile_names_are_shown_as_text(hostile):
    page = Page(hostile)
    text = "".join(page.text)
    assert "<script>alert(1)</script>" in text
    assert "{{ 7 * 7 }}" in text
    assert "\u202e" not in text
    assert max(map(len, re.findall("<bdi[^>]*>(.*?)</bdi>", hostile))) < 300
    data = json.loads(page.scripts[0])
    assert list(data["names"]["s1-"].values()) == HOSTILE
    assert "<" not in page.scripts[0]


def test_the_answer_comes_first_and_every_figure_has_its_numbers(html):
    page = Page(html)
    text = "".join(page.text)
    assert text.index("objective of") < text.index("All policies") < text.index("Objective over the budget")
    data = json.loads(page.scripts[0])
    shown = [attrs["id"] for attrs in page.of("figure")]
    assert list(data["figures"]) == shown
    assert len(shown) == 10
    for figure in data["figures"].values():
        held = data["datasets"][figure["table"]]
        assert held["rows"]
        assert all(len(row) == len(held["columns"]) for row in held["rows"])
    for attrs in page.of("div"):
        if attrs.get("role") == "img":
            assert len(attrs["aria-label"]) > 20


def test_identities_are_different_across_settings(tmp_path):
    paths = [make_run(tmp_path / "a", "uniform", 0), make_run(tmp_path / "b", "uniform", 0, tasks=make_tasks(3))]
    page = Page(render(load_runs(paths)))
    found = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(found) == len(set(found))
    assert "made_up, 3 tasks, 200 steps" in "".join(page.text)


def test_a_run_without_evaluations_still_has_a_page():
    page = Page(render(gather([run_of(log_of(chosen=[0, 1, 1]), path=Path("bare"), summary=None)])))
    text = "".join(page.text)
    assert "No run has been evaluated yet." in text
    assert "not finished" in text


def test_a_report_is_written_whole_and_live_ones_end_with_the_runs(study, tmp_path):
    out = write_report(study[:2], tmp_path / "sub" / "report.html", refresh=5)
    assert Page(out.read_text()).of("body")[0]["data-refresh"] == "5"
    with pytest.raises(ValueError, match="`refresh`"):
        write_report(study[:1], out, refresh=0.1)
    written = []
    assert write_live(study[:1], tmp_path / "live.html", written=written.append) == tmp_path / "live.html"
    assert written == [tmp_path / "live.html"]
    assert "data-refresh" not in Page(written[0].read_text()).of("body")[0]


def test_live_pages_follow_runs_that_begin_and_end(tmp_path):
    """A page of a run that goes on; then it has finished, a second one has, and a third has not begun."""
    first = make_run(tmp_path / "runs" / "a", "uniform", 0, finish=False)
    pages = []

    def written(page):
        pages.append(page.read_text())
        if len(pages) == 1:
            make_run(tmp_path / "runs" / "b", "proportional", 0)
            RunDirectory.create(tmp_path / "runs" / "c", config="seed = 0")
            RunDirectory.open(first).write_summary({"tasks": {}})

    write_live(lambda: sorted((tmp_path / "runs").iterdir()), tmp_path / "live.html", every=1, written=written)
    going, done = (Page(page) for page in pages)
    assert going.of("body")[0]["data-refresh"]
    assert "data-refresh" not in done.of("body")[0]
    assert "proportional" not in "".join(going.text)
    assert "proportional" in "".join(done.text)
    with pytest.raises(FileNotFoundError):
        write_live([tmp_path / "nothing"], tmp_path / "live.html")


def big_setting(n_rounds=200_000, n_tasks=100):
    rng = np.random.default_rng(0)
    probabilities = np.repeat(rng.dirichlet(np.ones(n_tasks), 100) * 0.9 + 0.1 / n_tasks, n_rounds // 100, axis=0)
    chosen = (probabilities.cumsum(axis=1) > rng.random((n_rounds, 1))).argmax(axis=1)
    evaluations = [(at, float(at), 0.0, rng.random(n_tasks)) for at in range(0, n_rounds, n_rounds // 200)]
    log = log_of(
        tasks=make_tasks(n_tasks),
        chosen=chosen,
        probabilities=probabilities,
        reward=rng.random(n_rounds),
        evaluations=evaluations,
    )
    return gather([run_of(log, path=Path("big"), summary={})])


def test_a_long_log_of_many_tasks_makes_a_small_page():
    small, large = (render(big_setting(n_rounds)) for n_rounds in (10_000, 100_000))
    assert len(large) < 20e6
    # What is embedded does not grow with the log: 1,000,000 decisions make as small a page.
    assert len(large) < 1.1 * len(small)


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("which", ["html", "hostile"])
def test_a_browser_draws_every_figure_without_an_error(which, request, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(request.getfixturevalue(which))
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--window-size=360,900",
        f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=60000", "--dump-dom", path.as_uri(),
    ]  # fmt: skip
    for _ in range(3):  # on a busy machine the browser sometimes gives the page before the last figures are drawn
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        assert not [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        page = Page(done.stdout)
        drawn = [attrs for attrs in page.of("div") if "drawn" in attrs.get("class", "").split()]
        if len(drawn) == len(page.of("figure")):
            break
    assert len(drawn) == len(page.of("figure")) > 5
    assert not page.of("img")


def test_numbers_that_are_no_numbers_do_not_reach_the_page(html):
    data = orjson.loads(Page(html).scripts[0])
    assert data["datasets"]
    assert "NaN" not in Page(html).scripts[0]
