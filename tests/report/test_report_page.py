import base64
import hashlib
import json
import re
import time
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import orjson
import pytest

from apportion.errors import CheckpointError, LogFormatError
from apportion.report import gather, load_runs, render, run_of, write_live, write_report
from apportion.run import RunDirectory
from report.browser import CHROMIUM, Browser
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
    assert len(shown) == 11
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
    text = "".join(page.text)
    assert "made_up, 3 tasks, 200 steps" in text
    assert text.index("2 settings, each compared for itself") < text.index("This policy")
    assert [attrs["href"] for attrs in page.of("a")][1:3] == ["#s1-title", "#s2-title"]


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
    with pytest.raises(FileNotFoundError, match=r"there is no folder '.*nothing'"):
        write_live([tmp_path / "nothing"], tmp_path / "live.html")


def test_a_damaged_log_is_left_out_of_live_pages_and_named(tmp_path):
    """Beside a run that goes on its page says so; once the others have finished, the error ends it."""
    first = make_run(tmp_path / "a", "uniform", 0, finish=False)
    make_run(tmp_path / "b", "proportional", 0)
    with (tmp_path / "b" / "decisions.jsonl").open("ab") as log:
        log.write(b"garbage\n")
    starting = RunDirectory.create(tmp_path / "c", config="seed = 0")
    starting.log_path.write_bytes((first / "decisions.jsonl").read_bytes().split(b"\n")[0][:40])
    pages = []

    def written(page):
        pages.append(page.read_text())
        RunDirectory.open(first).write_summary({"tasks": {}})

    runs = [tmp_path / name for name in "abc"]
    with pytest.raises(LogFormatError, match="this is not JSON"):
        write_live(runs, tmp_path / "live.html", every=1, written=written)
    assert len(pages) == 2
    for page in pages:
        text = "".join(Page(page).text)
        assert "Left out, since it cannot be read now" in text
        assert "decisions.jsonl" in text
        assert "proportional" not in text
    (first / "plan.json").write_bytes(b'{"plan": [')
    with pytest.raises(CheckpointError, match=r"plan\.json' is not JSON"):
        write_report([first], tmp_path / "report.html")


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


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    found = Browser(tmp_path_factory.mktemp("profile"))
    yield found
    found.close()


@pytest.fixture(scope="module")
def sparse():
    """Task b is measured once, task a always; as a policy does that measures what is worth its price."""
    rows = [(0, 0.0, 0.0, (0.1, 0.2)), (4, 4.0, 0.0, (0.3, np.nan)), (8, 8.0, 0.0, (0.4, np.nan))]
    log = log_of(chosen=[0, 1] * 5, evaluations=rows, reward=[1.0] * 10, measured={"loss": np.ones(10)})
    return render(gather([run_of(log, path=Path("sparse"), summary={})]))


@pytest.mark.parametrize(
    ("which", "width", "dark"), [("html", 1400, False), ("hostile", 360, True), ("sparse", 1400, False)]
)
def test_a_browser_draws_every_figure_without_an_error(which, width, dark, request, browser, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(request.getfixturevalue(which))
    browser.open(path, width=width, dark=dark)
    assert browser.value("document.querySelectorAll('.chart.drawn svg, .chart.drawn canvas').length") > 5
    assert browser.value("document.querySelectorAll('.chart:not(.drawn), img').length") == 0
    assert browser.value("document.documentElement.scrollWidth - innerWidth") <= 0
    assert browser.value("getComputedStyle(document.body).backgroundColor") == (
        "rgb(20, 24, 30)" if dark else "rgb(255, 255, 255)"
    )
    assert not browser.told
    assert all(address.startswith(("file:", "data:", "blob:")) for address in browser.requested)


def test_a_reader_without_a_mouse_sorts_and_saves(browser, html, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(html)
    browser.open(path)
    browser.press("Tab")
    assert browser.value("document.activeElement.className") == "skip"
    saved = tmp_path / "saved"
    browser.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(saved))
    for kind in ("csv", "svg", "png", "numbers"):
        browser.value(f"document.querySelector('#s1-forest [data-do={kind}]').focus()")
        browser.press("Enter")
    browser.wait_for("!document.querySelector('#s1-forest .numbers').hidden")
    shown = "[...document.querySelectorAll('#s1-forest .numbers tbody tr')].map(row => row.cells[0].textContent)"
    first = browser.value(shown)
    browser.value("document.querySelector('#s1-forest .numbers .sort').focus()")
    browser.press("Enter")
    assert browser.value(shown) == sorted(first)
    browser.press("Enter")
    assert browser.value(shown) == sorted(first, reverse=True)
    begins = {"csv": b"policy,reference,task,mean", "svg": b"<svg", "png": b"\x89PNG"}
    for kind, start in begins.items():
        file = saved / f"s1-forest.{kind}"
        for _ in range(200):
            if file.is_file() and file.stat().st_size:
                break
            time.sleep(0.05)
        assert file.read_bytes().startswith(start)
    assert not browser.told


def test_a_live_page_stays_as_its_reader_left_it(browser, study, tmp_path):
    path = tmp_path / "live.html"
    settings = load_runs(study[:1])
    path.write_text(render(settings, refresh=1000.0))
    browser.open(path)
    browser.value("document.querySelector('details').open = true")
    browser.value("document.querySelector('#s1-overview .sort').click()")
    browser.value("document.querySelector('[data-do=csv]').focus({ preventScroll: true })")
    browser.value("scrollTo({ top: 700, behavior: 'instant' })")
    assert browser.value("[scrollY, document.activeElement.dataset.do]") == [700, "csv"]
    write_report(study[:1], path)
    press = "document.getElementById('pause').click()"
    browser.value(press)
    assert browser.value("document.getElementById('pause').getAttribute('aria-pressed')") == "true"
    browser.value(f"window.old = true; document.body.dataset.refresh = 0.1; {press}")  # updates go on
    browser.wait_for("!window.old && document.documentElement?.dataset.drawn == 'all'")
    place, focus = browser.value("[scrollY, document.activeElement.dataset.do]")
    assert abs(place - 700) < 50  # a browser moves a page a little when what stands above is drawn
    assert focus == "csv"
    assert browser.value("document.querySelector('details').open")
    assert browser.value("document.querySelector('#s1-overview th').getAttribute('aria-sort')") == "ascending"
    assert not browser.told


def test_numbers_that_are_no_numbers_do_not_reach_the_page(html):
    data = orjson.loads(Page(html).scripts[0])
    assert data["datasets"]
    assert "NaN" not in Page(html).scripts[0]
