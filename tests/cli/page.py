"""Pages that the program writes, as tests look at them."""
import html.parser


class Page(html.parser.HTMLParser):
    """What a page is made of: its pictures, the titles of its figures, its words, and those below each heading by the
    heading's id. An unclosed element or one that loads or runs something is an error."""

    def __init__(self, text):
        super().__init__()
        self.open, self.images, self.policy, self.titles = [], 0, None, []
        self.words, self.parts, self.part = "", {}, None
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_startendtag(self, tag, attrs):
        attrs = dict(attrs)
        assert tag not in ("script", "link", "iframe", "object", "base", "form"), tag
        assert not [a for a in attrs if a.startswith("on")], attrs
        if tag == "img":
            assert attrs["src"].startswith("data:image/png;base64,")
            self.images += 1
        if tag == "a":
            assert attrs["href"].startswith("#")
        if tag == "meta" and attrs.get("http-equiv") == "Content-Security-Policy":
            self.policy = attrs["content"]
        if tag == "figure":
            self.titles.append(attrs["title"])
        if tag == "h2" and "id" in attrs:
            self.part = attrs["id"]
            self.parts[self.part] = ""

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in ("img", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, tag

    def handle_data(self, data):
        self.words += data
        if self.part:
            self.parts[self.part] += data
