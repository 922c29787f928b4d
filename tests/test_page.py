"""The page in a real browser. Needs playwright and Chromium, which few machines have."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from running import DATA, command, environment, kcsearch

pytest.importorskip("fastapi", reason="needs kcsearch[serve]")
playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
if CHROMIUM is None:
    pytest.skip("needs chromium", allow_module_level=True)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("page")
    kcsearch(folder, "index", str(DATA / "everyday.jsonl"), "-c", "notes")
    running = subprocess.Popen(
        command("serve", "-c", "notes", "--port", "0"),
        cwd=folder,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert running.stderr is not None
        found = re.search("http://[^ ]+", running.stderr.readline())
        assert found
        yield found[0]
    finally:
        running.kill()
        running.wait()


@pytest.fixture(scope="module")
def browser() -> Iterator[playwright.Browser]:
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: playwright.Browser, address: str) -> Iterator[playwright.Page]:
    """The page, opened; whatever it asks of other hosts or complains of is a failure."""
    context = browser.new_context(locale="ko-KR")
    page = context.new_page()
    wrong: list[str] = []
    page.on("request", lambda r: None if r.url.startswith(address) else wrong.append(r.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text))
    page.goto(address)
    page.wait_for_selector("#collection:text-matches('문서')")
    yield page
    context.close()
    assert wrong == []


def keys(page: playwright.Page) -> list[str]:
    return page.eval_on_selector_all("#hits li", "cards => cards.map(c => c.dataset.key)")


def wait_until(page: playwright.Page, condition: str) -> None:
    """playwright's own waiting wants `eval`, which the page's policy forbids."""
    for _ in range(200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never: {condition}")


def search(page: playwright.Page, text: str) -> None:
    page.locator("#query").fill(text)
    wait_until(page, "document.querySelectorAll('#hits li').length > 0")


def test_results_come_as_one_types_with_the_shared_words_marked(page: playwright.Page) -> None:
    page.locator("#query").press_sequentially("환불은 언제 되나요", delay=10)
    page.wait_for_selector("#hits mark")
    assert page.locator("#hits mark").first.inner_text() == "환불은"
    assert page.locator("#state").inner_text().startswith("20개 · ")
    assert page.title() == "notes · kcsearch"


def test_the_keyboard_is_enough(page: playwright.Page) -> None:
    search(page, "비가 오나요")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    chosen = keys(page)[1]
    assert page.locator("[aria-current=true]").get_attribute("data-key") == chosen
    page.keyboard.press("Enter")
    wait_until(page, "document.querySelector('#state').innerText.includes('비슷한 문서')")
    assert chosen not in keys(page)
    page.keyboard.press("Escape")
    wait_until(page, "!document.querySelector('#state').innerText.includes('비슷한')")
    assert keys(page)[1] == chosen
    page.locator("h1").click()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "query"


def test_a_syllable_in_composition_is_searched_and_its_enter_is_not_ours(
    page: playwright.Page,
) -> None:
    page.locator("#query").focus()
    session = page.context.new_cdp_session(page)
    for text in ("ㅂ", "비"):
        session.send(
            "Input.imeSetComposition",
            {"text": text, "selectionStart": len(text), "selectionEnd": len(text)},
        )
    wait_until(page, "document.querySelectorAll('#hits li').length > 0")
    before = keys(page)
    page.keyboard.press("ArrowDown")
    page.evaluate(
        """document.querySelector('#query').dispatchEvent(
            new KeyboardEvent('keydown', {key: 'Enter', isComposing: true, bubbles: true}))"""
    )
    page.wait_for_timeout(300)
    assert keys(page) == before
    assert page.locator("#state").inner_text().startswith("20개")


def test_modes_filters_and_links(page: playwright.Page, address: str) -> None:
    search(page, "강아지")
    page.locator("input[value=lexical] + span").click()
    wait_until(page, "location.hash.includes('mode=lexical')")
    wait_until(
        page,
        "[...document.querySelectorAll('#hits .text')].every(t => t.innerText.includes('강아지'))",
    )
    page.locator("#hits .chip", has_text="topic=반려동물").first.click()
    page.wait_for_selector("#filters .chip")
    shown = keys(page)
    page.goto("about:blank#")
    page.goto(address + "#q=강아지&mode=lexical&f.topic=반려동물")
    page.wait_for_selector("#hits li")
    assert keys(page) == shown
    page.locator("#filters .chip").click()
    wait_until(page, "!location.hash.includes('f.topic')")


def colours(page: playwright.Page) -> int:
    """How many different colours the map shows."""
    return page.evaluate(
        """() => {
            const canvas = document.querySelector('#map canvas');
            const copy = document.createElement('canvas');
            Object.assign(copy, { width: canvas.width, height: canvas.height });
            const pen = copy.getContext('2d', { willReadFrequently: true });
            pen.drawImage(canvas, 0, 0);
            const { data } = pen.getImageData(0, 0, copy.width, copy.height);
            return new Set(new Uint32Array(data.buffer)).size;
        }"""
    )


def test_the_map_shows_the_collection_the_query_and_what_it_found(page: playwright.Page) -> None:
    page.locator("#map summary").click()
    page.wait_for_selector("#map .caption:text-matches('문서 507개')")
    alone = colours(page)
    assert alone > 1
    search(page, "비가 오나요")
    wait_until(page, "performance.getEntriesByName(location.origin + '/places').length > 1")
    page.wait_for_timeout(200)
    assert colours(page) > alone  # the accent, numbers
    before = page.locator("#map canvas").screenshot()
    page.keyboard.press("ArrowDown")
    assert page.locator("#map canvas").screenshot() != before


def test_a_point_of_the_map_tells_its_text_and_leads_to_what_is_similar(
    page: playwright.Page, address: str
) -> None:
    page.locator("#map summary").click()
    page.wait_for_selector("#map .caption:text-matches('문서 507개')")
    box = page.locator("#map canvas").bounding_box()
    assert box
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(*middle)
    page.wait_for_selector("#map .caption:text-matches(' · ')")
    key = page.locator("#map .caption").inner_text().split(" · ")[0]
    page.mouse.click(*middle)
    wait_until(page, "location.hash.includes('like=')")
    assert f"like={key}" in page.evaluate("location.hash")
    page.mouse.move(0, 0)
    page.wait_for_selector("#map .caption:text-matches('두 축')")


def test_a_finger_taps_twice(browser: playwright.Browser, address: str) -> None:
    context = browser.new_context(has_touch=True, locale="ko-KR")
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector("#collection:text-matches('문서')")
    page.locator("#map summary").click()
    page.wait_for_selector("#map .caption:text-matches('문서 507개')")
    page.locator("#map canvas").tap()
    page.wait_for_selector("#map .caption:text-matches(' · ')")
    assert "like=" not in page.evaluate("location.hash")
    page.locator("#map canvas").tap()
    wait_until(page, "location.hash.includes('like=')")
    context.close()


def test_a_text_cannot_become_markup(browser: playwright.Browser, address: str) -> None:
    page = browser.new_page()
    hostile = "<img src=x onerror=document.title='gone'> 환불"
    hit = {"key": "<b>k</b>", "text": hostile, "source": None, "line": None, "rank": 1}
    hit |= {"score": 1, "cosine": 1, "percentile": 99.5, "matched": ["환불"]}
    hit["metadata"] = {"<i>": "</button>"}
    answer = {"answers": [{"query": "환불", "hits": [hit]}]}
    page.route("**/query", lambda route: route.fulfill(json=answer))
    page.goto(address)
    search(page, "환불")
    assert page.locator("#hits .text").inner_text() == hostile
    assert page.locator("#hits img, #hits b, #hits i:not(.bar i)").count() == 0
    assert "gone" not in page.title()
    assert "99.5 %" in page.locator("#hits .facts").inner_text()
    page.close()


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "dark")])
def test_nothing_is_cut_off(
    width: int, scheme: str, browser: playwright.Browser, address: str
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    page.goto(address)
    page.locator("#map summary").click()
    search(page, "예금은 얼마까지 보호되나요")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    red, green, blue = map(
        int,
        re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))[:3],
    )
    assert (red + green + blue > 600) == (scheme == "light")
    context.close()


def test_the_description_of_the_api_can_be_read(browser: playwright.Browser, address: str) -> None:
    page = browser.new_page()
    page.goto(address + "docs")
    page.wait_for_selector("h2")
    assert "POST /query" in page.locator("#operations").inner_text()
    page.close()
