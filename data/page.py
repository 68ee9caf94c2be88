"""What HTML pages share: each is one file that needs no network, in light and dark."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from data.console import clean
from data.files.whole import replacing

# Nothing is loaded from elsewhere, whatever names of videos and classes hold.
_POLICY = (
    "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)


class Cell(NamedTuple):
    """A cell of a table.

    Attributes:
        inner: HTML.
        value: what it is sorted by; None: by its text.
        number: whether it is set to the right.
    """

    inner: str
    value: str | float | None = None
    number: bool = False


def text(value: object) -> str:
    """Anything as text in HTML: names of videos and classes come from anywhere."""
    return html.escape(clean(str(value)).encode(errors="replace").decode(), quote=True)


def data_uri(content: bytes, kind: str) -> str:
    """A file within the page, such as of kind ``image/jpeg``."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def number(value: float | None, shown: str | None = None) -> Cell:
    """A cell of a number; empty for None."""
    if value is None:
        return Cell("", "", True)
    return Cell(text(f"{value:,}" if shown is None else shown), value, True)


def megabytes(size: float) -> str:
    """``2_500_000_000`` as ``2.50 GB``."""
    if size < 1e6:
        return f"{size / 1e3:,.0f} kB"
    return f"{size / 1e9:,.2f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"


def tiles(figures: Iterable[tuple[str, str, str]]) -> str:
    """Figures, each with what it is of and a class such as ``wrong``, or none."""
    shown = (
        f'<div class="tile"><b class="{kind}">{text(figure)}</b>'
        f'<span class="soft">{text(what)}</span></div>'
        for figure, what, kind in figures
    )
    return f'<div class="tiles">{"".join(shown)}</div>'


def table(
    columns: Sequence[str],
    rows: Iterable[tuple[str, Sequence[Cell]]],
    *,
    fixed: Sequence[int] = (),
    cards: bool = False,
) -> str:
    """A table that is sorted by a click on a column's head.

    Args:
        rows: attributes of each, as HTML, and its cells.
        fixed: columns that it can't be sorted by.
        cards: in a narrow window a row is a card, not wider than the window.
    """
    rows = list(rows)
    right = [cell.number for cell in rows[0][1]] if rows else [False] * len(columns)
    heads = "".join(
        f'<th scope="col">{text(name)}</th>'
        if place in fixed
        else f'<th scope="col" aria-sort="none"{_kind(right[place])}>'
        f'<button type="button">{text(name)}</button></th>'
        for place, name in enumerate(columns)
    )
    body = "".join(
        f"<tr {attributes}>{''.join(map(_cell, columns, cells))}</tr>\n"
        for attributes, cells in rows
    )
    return (
        f'<div class="scroll" tabindex="0"><table class="{"sortable cards" if cards else "sortable"}">'
        f"<thead><tr>{heads}</tr></thead>\n"
        f"<tbody>\n{body}</tbody></table></div>"
    )


def _kind(number: bool) -> str:
    return ' class="number"' if number else ""


def _cell(column: str, cell: Cell) -> str:
    value = "" if cell.value is None else f' data-value="{text(cell.value)}"'
    return f'<td{_kind(cell.number)}{value} data-column="{text(column)}">{cell.inner}</td>'


def write_page(
    path: Path, title: str, body: Iterable[str], *, style: str = "", script: str = ""
) -> None:
    """Write a page.

    Args:
        body: HTML, in parts, so that a large page is not in memory twice.
        script: runs when all is there; may call ``filterBy(items, count)``, which hides items by
            ``#search`` (their ``data-text``) and ``select.filter`` (lists in their ``data-...``).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part, part.open("w", encoding="utf-8") as file:
        file.write(
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            f"<title>{text(title)}</title>\n"
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
            f'<link rel="icon" href="data:,"><style>{beside(__file__, "css")}{style}</style>'
            "</head>\n<body>\n"
        )
        file.writelines(body)
        file.write(f"<script>{beside(__file__, 'js')}{script}</script></body></html>\n")


def beside(module: str, ending: str) -> str:
    """The style (``css``) or script (``js``) that lies beside a module, by its ``__file__``."""
    return Path(module).with_suffix(f".{ending}").read_text(encoding="utf-8")
