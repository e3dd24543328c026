"""The bar of every page on a phone: the link of the page that one is on can be seen, whichever it is."""

from typing import Any

import pytest

from lookalike.web.page import PAGES, Page


@pytest.mark.parametrize("page", [page for page in PAGES if page.link], ids=lambda page: page.name)
def test_the_link_of_this_page_is_in_view_on_a_phone(browser: Any, site: Any, watched: Any, page: Page) -> None:
    url = str(site.client.base_url)
    with watched(browser, url, viewport={"width": 390, "height": 844}) as opened:
        opened.goto(page.path)
        opened.wait_for_timeout(300)
        link, bar = (opened.locator(one).bounding_box() for one in (".pages [aria-current]", ".pages"))
        assert opened.locator(".pages [aria-current]").inner_text() == page.link
        assert bar["x"] - 0.5 <= link["x"]
        assert link["x"] + link["width"] <= min(390, bar["x"] + bar["width"]) + 0.5
        assert opened.evaluate("scrollY") == 0
