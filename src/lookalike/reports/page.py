"""A report as one HTML file that needs nothing beside it: no network, no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from lookalike.core.files import write_aside
from lookalike.core.version import __version__
from lookalike.reports.charts import colour_of, data_uri, interval_chart, line_chart, reference_map, weight_map
from lookalike.reports.content import Content, Mistake, Picture, Standing

__all__ = ["render_page", "write_page"]

STYLE = """
:root { --ink: #202124; --faint: #80868b; --mark: #b8451c; --band: #f3ede4; --paper: #faf9f6; --line: #e4dfd6; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 1040px; margin: 0 auto; padding: 48px 28px 80px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0 0 8px; letter-spacing: -0.01em; }
h2 { font-size: 20px; margin: 56px 0 6px; }
p.about { color: var(--faint); margin: 0 0 18px; max-width: 46em; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 18px; margin: 18px 0 0; font-size: 14px; }
dt { color: var(--faint); } dd { margin: 0; overflow-wrap: anywhere; }
svg { display: block; width: 100%; height: auto; font: 13px system-ui, sans-serif; }
svg text { fill: var(--ink); } svg .faint { fill: var(--faint); font-size: 12px; } svg .value { font-size: 12px; }
svg .band { fill: var(--band); } svg .rule { stroke: var(--faint); stroke-dasharray: 2 4; }
svg .mark { stroke: var(--mark); stroke-width: 3; stroke-linecap: round; } svg .dot { fill: var(--mark); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; width: 100%; }
th, td { text-align: right; padding: 6px 10px; border-bottom: 1px solid var(--line); }
th { font-weight: 600; color: var(--faint); } td { white-space: nowrap; }
th:first-child, td:first-child { text-align: left; white-space: normal; overflow-wrap: anywhere; }
td.best { font-weight: 700; } td.warn { color: var(--mark); }
ul.key { list-style: none; display: flex; flex-wrap: wrap; gap: 4px 18px; padding: 0; margin: 10px 0; font-size: 14px; }
ul.key i { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin-right: 6px; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(280px, 1fr)); gap: 24px; }
figure { margin: 0; } figcaption { font-size: 13px; overflow-wrap: anywhere; }
.mistake { display: grid; grid-template-columns: 1fr 1fr 1fr; gap: 10px; margin: 0 0 26px; max-width: 720px; }
.mistake img { width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: 6px; display: block; }
.mistake figcaption { color: var(--faint); } .mistake b { color: var(--ink); }
.mistake p { grid-column: 1 / -1; margin: 0; font-size: 14px; }
footer { margin-top: 64px; color: var(--faint); font-size: 13px; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ece9e3; --faint: #9a958c; --mark: #e07b4f; --band: #2b2823; --paper: #1b1a18; --line: #37332d; }
}
@media print { main { padding: 0; } h2 { break-after: avoid; } .mistake, figure { break-inside: avoid; } }
"""


def write_page(file: Path, content: Content) -> None:
    """Write a report, whole or not at all.

    Raises
    ------
    StorageError
        The file cannot be written.
    """
    with write_aside(file) as aside:
        aside.write_text(render_page(content), encoding="utf-8")


def render_page(content: Content) -> str:
    """Return a report as HTML; every text of the user is escaped.

    Examples
    --------
    >>> page = render_page(Content("<b>", [("judgments", "9")], [], None, 0.5))
    >>> "<title>&lt;b&gt;</title>" in page, "<script" in page
    (True, False)
    """
    colours = colour_of(_models(content))
    sections = [
        _head(content),
        _leaderboard(content),
        _contexts(content.standings),
        _map(content, colours),
        _weights(content, colours),
        _curves(content, colours),
        _mistakes(content.mistakes),
    ]
    title = escape(content.title)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>'
        f"<style>{STYLE}</style></head><body><main>{''.join(sections)}"
        f"<footer>Made by lookalike {escape(__version__)}.</footer></main></body></html>\n"
    )


def _models(content: Content) -> list[str]:
    """Return all models that have a colour somewhere, so that each has the same one everywhere."""
    named = {place.best for place in content.places} | {model for place in content.places for model in place.weights}
    return sorted(named | set(content.curves))


def _head(content: Content) -> str:
    facts = "".join(f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>" for term, text in content.facts)
    return f"<h1>{escape(content.title)}</h1><dl>{facts}</dl>"


def _leaderboard(content: Content) -> str:
    if not content.standings:
        return ""
    rows = []
    for one in content.standings:
        interval = "" if one.low != one.low else f"{100 * one.low:.1f} to {100 * one.high:.1f}"
        behind, p = "", ""
        if one.behind is not None:
            value, low, high, p_value = one.behind
            behind = f"{100 * value:.1f}" + ("" if low != low else f" ({100 * low:.1f} to {100 * high:.1f})")
            p = "" if p_value != p_value else f"{p_value:.4f}"
        seen = f'<td class="warn">{one.seen:.0%}</td>' if one.seen else "<td></td>"
        cells = "".join(f"<td>{cell}</td>" for cell in (f"{100 * one.accuracy:.1f}", interval, behind, p))
        rows.append(f"<tr><td>{escape(one.model)}</td><td>{escape(one.kind)}</td>{cells}{seen}</tr>")
    head = "".join(
        f"<th>{name}</th>" for name in ("model", "kind", "accuracy %", "95% interval", "behind the best", "p", "seen")
    )
    about = (
        "The share of votes each model agrees with. Intervals draw references anew, with all answers about them; "
        "differences to the best are on the same answers. <i>Seen</i>: the share of answers about images that the "
        "model was fitted on, which says nothing about new ones."
    )
    chart = interval_chart(content.standings, content.ceiling, content.chance)
    return (
        f'<h2>Leaderboard</h2><p class="about">{about}</p>{chart}'
        f'<div class="scroll"><table><tr>{head}</tr>{"".join(rows)}</table></div>'
    )


def _contexts(standings: Sequence[Standing]) -> str:
    contexts = sorted({context for one in standings for context in one.by_context})
    if len(contexts) < 2:
        return ""
    best = {
        context: max(one.by_context[context][0] for one in standings if context in one.by_context)
        for context in contexts
    }
    counts = {context: max(one.by_context.get(context, (0.0, 0))[1] for one in standings) for context in contexts}
    head = "<th>model</th>" + "".join(f"<th>{escape(context)}<br>{counts[context]:,}</th>" for context in contexts)
    rows = []
    for one in standings:
        cells = []
        for context in contexts:
            value = one.by_context.get(context, (None, 0))[0]
            mark = ' class="best"' if value == best[context] else ""
            cells.append("<td></td>" if value is None else f"<td{mark}>{100 * value:.1f}</td>")
        rows.append(f"<tr><td>{escape(one.model)}</td>{''.join(cells)}</tr>")
    return (
        '<h2>By context</h2><p class="about">Accuracy in each context, with the number of judgments; the best in bold.'
        f'</p><div class="scroll"><table><tr>{head}</tr>{"".join(rows)}</table></div>'
    )


def _map(content: Content, colours: Mapping[str, str]) -> str:
    if not content.places:
        return ""
    models = sorted({place.best for place in content.places})
    key = "".join(f'<li><i style="background:{colours[model]}"></i>{escape(model)}</li>' for model in models)
    return (
        '<h2>Which model is best where</h2><p class="about">References by the first two principal components of their '
        "features, framed in the colour of the model that agrees best with the answers about them.</p>"
        f'<ul class="key">{key}</ul>{reference_map(content.places, colours)}'
    )


def _weights(content: Content, colours: Mapping[str, str]) -> str:
    models = sorted({model for place in content.places for model in place.weights})
    if not models:
        return ""
    figures = [
        f"<figure>{weight_map(content.places, model, colours[model], 1 / len(models))}"
        f"<figcaption>{escape(model)}</figcaption></figure>"
        for model in models
    ]
    return (
        '<h2>Whom the ensemble trusts</h2><p class="about">The weight of each model at every reference of the map '
        f'above: the larger and darker, the more.</p><div class="grid">{"".join(figures)}</div>'
    )


def _curves(content: Content, colours: Mapping[str, str]) -> str:
    drawn = {model: history for model, history in content.curves.items() if history}
    if not drawn:
        return ""
    figures = [
        f"<figure>{line_chart(drawn[model], colours[model])}<figcaption>{escape(model)}</figcaption></figure>"
        for model in sorted(drawn)
    ]
    return (
        '<h2>Training</h2><p class="about">The loss by pass, a line per member; dashed, on what was kept back.</p>'
        f'<div class="grid">{"".join(figures)}</div>'
    )


def _mistakes(mistakes: Sequence[Mistake]) -> str:
    if not mistakes:
        return ""
    shown = []
    for one in mistakes:
        sure = max(one.probability_a, 1 - one.probability_a)
        model, people = ("A", "B") if one.probability_a >= 0.5 else ("B", "A")
        votes = max(one.votes_a, one.votes_b), one.votes_a + one.votes_b
        pictures = [
            _figure("reference", one.reference),
            _figure("A", one.a),
            _figure("B", one.b),
        ]
        shown.append(
            f'<div class="mistake">{"".join(pictures)}<p>The model says <b>{model}</b>, {sure:.0%} sure; '
            f"{votes[0]:g} of {votes[1]:g} say <b>{people}</b>.</p></div>"
        )
    return (
        '<h2>Where it is sure and wrong</h2><p class="about">Questions on which the best model is most confident, and '
        f"people chose the other picture.</p>{''.join(shown)}"
    )


def _figure(what: str, picture: Picture) -> str:
    image = f'<img alt="{escape(picture.name)}" src="{data_uri(picture)}">' if picture.jpeg else "<img alt>"
    return f"<figure>{image}<figcaption><b>{what}</b> {escape(picture.name)}</figcaption></figure>"
