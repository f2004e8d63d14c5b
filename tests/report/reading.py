"""Reading a report as a person would: what its tables, numbers and pictures say."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

VOID = {"meta", "img", "br", "link", "source"}


class Reader(HTMLParser):
    """Collects the numbers, the table rows, the addresses and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.numbers: list[tuple[float, str, bool]] = []
        """(value, text, derived) of every data element."""
        self.rows: dict[str, list[list[str]]] = {}
        """Cells' text by table id, one list a row."""
        self.loose: list[str] = []
        """Text of table cells that stands outside a data element."""
        self.sources: list[str] = []
        self.tags: set[str] = set()
        self.text = ""
        self._open: list[tuple[str, dict[str, str]]] = []
        self._table = ""
        self.feed(page)
        self.close()
        assert not self._open, "every element is closed"

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attributes}
        self.tags.add(tag)
        self.sources += [named[name] for name in ("src", "href", "srcset", "data") if name in named]
        if tag == "table":
            self._table = named.get("id", "other")
            self.rows.setdefault(self._table, [])
        if tag == "tr":
            self.rows[self._table].append([])
        if tag in ("td", "th"):
            self.rows[self._table][-1].append("")
        if tag == "data":
            self.numbers.append((float(named["value"]), "", named.get("class") == "derived"))
        if tag not in VOID:
            self._open.append((tag, named))

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1][0] == tag, f"{tag} closes {self._open[-1][0]}"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        inside = [tag for tag, _ in self._open]
        if "style" in inside or "title" in inside:
            return
        self.text += data
        if "data" in inside:
            value, text, derived = self.numbers[-1]
            self.numbers[-1] = (value, text + data, derived)
        elif "td" in inside:
            self.loose.append(data)
        if "td" in inside or "th" in inside:
            self.rows[self._table][-1][-1] += data


def leaves(record: Any) -> list[Any]:
    """Every value in nested JSON, and every name."""
    if isinstance(record, dict):
        return [*record, *(leaf for value in record.values() for leaf in leaves(value))]
    return [leaf for value in record for leaf in leaves(value)] if isinstance(record, list) else [record]


def numbers_of(verdict: str) -> set[float]:
    return {float(leaf) for leaf in leaves(json.loads(verdict)) if isinstance(leaf, (int, float))}


def strings_of(verdict: str) -> str:
    return "\n".join(leaf for leaf in leaves(json.loads(verdict)) if isinstance(leaf, str))
