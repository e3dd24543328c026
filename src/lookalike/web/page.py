"""The pages: ``pages/NAME.html`` has what they say, ``static/NAME.js`` what they do; the frame is one for all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from string import Template

__all__ = ["PAGES", "Page"]

FOLDER = Path(__file__).parent / "pages"
BELOW = "<!-- below the bar -->"
"""Parts what a page puts into the bar on top from what it puts below."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page.

    Attributes
    ----------
    name : str
        Of its files.
    path : str
        Its address.
    title : str
    link : str
        What leads to it from the other pages; a page without one is not linked.
    styles : tuple of str
        Style sheets beside that of all pages.
    view : str
        Which of its faces it shows first; the script turns to the others.
    """

    name: str
    path: str
    title: str
    link: str = ""
    styles: tuple[str, ...] = ()
    view: str = "start"

    def html(self) -> str:
        """Return the whole page.

        Examples
        --------
        >>> "<title>Sign in" in next(page for page in PAGES if page.name == "signin").html()
        True
        """
        bar, found, content = (FOLDER / f"{self.name}.html").read_text(encoding="utf-8").partition(BELOW)
        assert found, f"{self.name}.html has no line {BELOW}"
        sheets = ("style.css", *self.styles)
        return Template((FOLDER / "frame.html").read_text(encoding="utf-8")).substitute(
            name=self.name,
            title=self.title,
            view=self.view,
            bar=bar.strip(),
            content=content.strip(),
            styles="\n".join(f'  <link rel="stylesheet" href="/{sheet}">' for sheet in sheets),
            links="\n".join(_link(page, here=page is self) for page in PAGES if page.link),
        )


def _link(page: Page, here: bool) -> str:
    current = ' aria-current="page"' if here else ""
    return f'    <a href="{page.path}"{current}>{page.link}</a>'


PAGES = (
    Page("search", "/", "lookalike", "Search", ("results.css",)),
    Page("compare", "/compare", "Compare · lookalike", "Compare", ("results.css", "compare.css")),
    Page("label", "/label", "Label · lookalike", "Label", ("label.css",), "intro"),
    Page("map", "/map", "Map · lookalike", "Map", ("label.css", "models.css", "map.css")),
    Page("models", "/models", "Models · lookalike", "Models", ("label.css", "models.css")),
    Page("duplicates", "/duplicates", "Duplicates · lookalike", "Duplicates", ("duplicates.css",)),
    Page("signin", "/signin", "Sign in · lookalike", styles=("label.css",)),
)
"""All pages, in the order of their links."""
