"""What a reader finds on a page: the texts that are seen or read out, in the page's own language."""

from html.parser import HTMLParser

_READ_OUT = frozenset({"aria-label", "alt", "title", "placeholder"})
_VOID = frozenset({"meta", "link", "input", "br", "path"})


class Reading(HTMLParser):
    """The texts of a page, without what is marked as being in another language; and the `lang` of the page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.lang: str | None = None
        self._open: list[bool] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "html":
            self.lang = given.get("lang")
        other = given.get("lang", self.lang) != self.lang or any(self._open[-1:])
        if not other:
            self.texts += [value for name, value in attrs if name in _READ_OUT and value]
        if tag not in _VOID:
            self._open.append(other)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if data.strip() and not any(self._open[-1:]):
            self.texts.append(data.strip())
