"""The web page of a run in a real browser: it plays, slides and takes keys, and asks nobody for anything."""

import itertools
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sculptor_app.exports.animation.options import AnimationOptions
from sculptor_app.exports.page import write_page
from tests.helpers.grids import made_grid
from tests.helpers.runs import made_run

OPTIONS = AnimationOptions(frames="both", delay_ms=20, hold_ms=0)
PROGRAMS = ("chromium", "chromedriver")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not all(map(shutil.which, PROGRAMS)), reason="needs chromium and chromedriver"),
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    quiet = ("background-networking", "component-update", "sync", "gpu", "quic", "dev-shm-usage")
    for argument in (
        "--headless=new",
        "--no-first-run",
        "--window-size=1280,900",
        *(f"--disable-{it}" for it in quiet),
    ):
        options.add_argument(argument)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # which Chromium has for everybody but root
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


class Page:
    """A page that is open, and what a person reads on it."""

    def __init__(self, browser: Any, path: Path) -> None:
        from selenium.webdriver.common.by import By
        from selenium.webdriver.support.ui import WebDriverWait

        self.browser, self._by = browser, By.ID
        self._wait = WebDriverWait(browser, 20, poll_frequency=0.02)
        for kind in ("browser", "performance"):
            browser.get_log(kind)  # what other pages left
        browser.get(path.as_uri())
        self.until(lambda: self.run("return document.documentElement.dataset.ready === 'yes'"))

    def run(self, script: str, *arguments: object) -> Any:
        return self.browser.execute_script(script, *arguments)

    def until(self, condition: Any) -> None:
        self._wait.until(lambda _: condition())

    def find(self, name: str) -> Any:
        return self.browser.find_element(self._by, name)

    @property
    def caption(self) -> str:
        return str(self.find("caption").text)

    @property
    def step(self) -> int:
        return int(self.caption.split()[1])

    def press(self, *keys: str) -> None:
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.browser).send_keys(*keys).perform()

    def pixels(self) -> str:
        """The first picture, as the browser would save it."""
        return str(self.run("return document.querySelector('#stage canvas').toDataURL()"))

    def assert_silent(self) -> None:
        """No word on the console, and nothing was asked for but the file itself and what lies in it."""
        assert self.browser.get_log("browser") == []
        messages = [json.loads(entry["message"])["message"] for entry in self.browser.get_log("performance")]
        asked = [each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"]
        inside = ("file:", "data:", "chrome:", "chrome-untrusted:")  # the last two: the browser's own first tab
        assert [url for url in asked if not url.startswith(inside)] == []
        assert len(asked) >= 1


@pytest.fixture
def page(browser: Any, tmp_path: Path) -> Page:
    write_page(tmp_path / "x.html", made_run(steps=50, size=32), None, OPTIONS)
    return Page(browser, tmp_path / "x.html")


def test_it_opens_on_the_picture_without_a_word(page: Page) -> None:
    assert page.caption.startswith("Step 50 of 50 · Polish")
    assert page.find("what").text == "bust · bronze"
    last = page.pixels()
    page.find("first").click()
    assert page.pixels() != last
    page.assert_silent()


def test_keys_go_from_step_to_step_and_from_phase_to_phase(page: Page) -> None:
    from selenium.webdriver.common.keys import Keys

    last = page.pixels()
    page.press(Keys.HOME)
    assert page.step == 1
    assert page.pixels() != last
    page.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT)
    assert page.step == 2
    page.press(Keys.PAGE_DOWN)
    assert page.caption.startswith("Step 6 of 50 · Structure")
    page.press(Keys.PAGE_DOWN, Keys.PAGE_DOWN, Keys.PAGE_UP)
    assert page.caption.startswith("Step 16 of 50 · Refinement")
    page.press(Keys.END)
    assert page.pixels() == last
    page.assert_silent()


def test_the_slider_and_the_pictures_are_dragged(page: Page) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    slider = page.find("scrubber")
    width = slider.size["width"]
    hand = ActionChains(page.browser)
    hand.move_to_element(slider).click_and_hold().move_by_offset(-width // 4, 0).release().perform()
    assert 11 <= page.step <= 15
    picture = page.browser.find_element("css selector", "#stage canvas")
    hand.move_to_element(picture).click_and_hold().move_by_offset(60, 0).release().perform()
    assert page.step > 16
    plot = page.browser.find_element("css selector", "#plots svg")
    ActionChains(page.browser).move_to_element_with_offset(plot, 0, 0).click().perform()
    assert 18 <= page.step <= 30
    page.assert_silent()


def test_it_plays_to_the_end_and_stops_or_goes_on(page: Page) -> None:
    from selenium.webdriver.common.keys import Keys

    page.press(Keys.HOME)
    page.find("loop").click()
    page.find("play").click()
    page.until(lambda: page.step > 5)
    assert page.find("play").get_attribute("aria-label") == "Pause (space)"
    page.until(lambda: page.step == 50)
    page.until(lambda: page.find("play").get_attribute("aria-label") == "Play (space)")
    page.find("loop").click()
    page.find("play").click()  # from the end it begins again
    page.until(lambda: 3 < page.step < 50)
    page.run("document.activeElement.blur()")
    page.press(" ")
    stood = page.step
    assert page.find("play").get_attribute("aria-label") == "Play (space)"
    page.run("return new Promise((done) => setTimeout(done, 60))")
    assert page.step == stood
    page.assert_silent()


def test_a_phase_is_clicked_and_the_theme_changes(page: Page) -> None:
    page.browser.find_elements("css selector", "#phases button")[1].click()
    assert page.step == 6
    before = page.run("return getComputedStyle(document.body).backgroundColor")
    page.find("theme").click()
    assert page.run("return getComputedStyle(document.body).backgroundColor") != before
    page.assert_silent()


@pytest.mark.parametrize("width", [360, 700, 1280, 1900])
def test_nothing_is_wider_than_the_window(page: Page, width: int) -> None:
    page.run("document.querySelector('main').style.width = arguments[0] + 'px'", width)
    page.browser.set_window_size(width, 900)
    for details in page.browser.find_elements("css selector", "summary"):
        details.click()
    assert page.run("return document.documentElement.scrollWidth <= innerWidth + 1 || innerWidth > arguments[0]", width)
    page.browser.set_window_size(1280, 900)


def test_a_forward_process_is_counted_in_layers(browser: Any, tmp_path: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    options = replace(OPTIONS, frames="noisy", into_noise=True)
    write_page(tmp_path / "x.html", made_run(steps=50, size=32), None, options)
    page = Page(browser, tmp_path / "x.html")
    assert page.caption.startswith("Layer 0 of 50 · The picture")
    page.press(Keys.ARROW_RIGHT)
    assert page.caption.startswith("Layer 1 of 50 · Polish")
    page.press(Keys.PAGE_DOWN)
    assert page.caption.startswith("Layer 20 of 50")
    page.assert_silent()


def test_a_grid_and_a_run_of_one_step(browser: Any, tmp_path: Path) -> None:
    write_page(tmp_path / "x.html", made_grid(4, 3), None, replace(OPTIONS, frames="guess"))
    page = Page(browser, tmp_path / "x.html")
    assert page.browser.find_elements("css selector", "#plots") == []
    page.assert_silent()
    write_page(tmp_path / "y.html", made_run(steps=1), None, OPTIONS)
    page = Page(browser, tmp_path / "y.html")
    page.press(" ")
    assert page.step == 1
    page.assert_silent()


def test_every_mark_has_a_name_no_word_is_cut_and_the_last_octave_is_numbered(browser: Any, tmp_path: Path) -> None:
    run = made_run(steps=20, size=128)
    write_page(tmp_path / "x.html", run, None, OPTIONS)
    page = Page(browser, tmp_path / "x.html")
    marks = page.run("return [...document.querySelectorAll('#marks span')].map((each) => each.textContent)")
    assert len(marks) >= 1
    assert all(mark.split(" ")[0].strip(",") in ("coarse", "medium", "fine", "finest") for mark in marks), marks
    boxes = page.run(
        "return [...document.querySelectorAll('#marks span')].map((each) => each.getBoundingClientRect())"
        ".map((box) => [box.left, box.right])"
    )
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(boxes))
    phases = "return [...document.querySelectorAll('#phases button')].map((each) => {0})"
    assert page.run(phases.replace("{0}", "each.textContent"))[0] in ("Big decisions", "Decisions", "")
    assert not any(page.run(phases.replace("{0}", "each.scrollWidth > each.clientWidth")))
    numbers = page.run("return [...document.querySelectorAll('#plots svg text')].map((each) => each.textContent)")
    assert "64" in numbers
    page.assert_silent()
