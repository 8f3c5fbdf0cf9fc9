"""The pages of the documentation's site: Markdown files for mkdocs, and a check of what it made. Used by scripts/docs."""

import html.parser
import os
import posixpath
import re
import shutil
import sys
import urllib.parse

from dev.documents import links
from dev.project import PROJECT

# What mkdocs reads, and what it writes.
SOURCES = PROJECT / ".build" / "pages"
SITE = PROJECT / ".build" / "site"


def rewritten(path, text, pages, folders):
    """A page whose links to files that are no pages lead to the repository on GitHub."""
    plain = links.without_code(text)
    for match in reversed(list(links.LINK.finditer(plain))):
        group = match.lastgroup
        target = match[group]
        place = links.resolve(path, target)
        if place is None or place[0] in pages:
            continue
        anchor = f"#{place[1]}" if place[1] else ""
        inside = posixpath.join(place[0], "README.md")
        if inside in pages:
            new = posixpath.relpath(inside, posixpath.dirname(path) or ".") + anchor
        else:
            new = f"{links.REPOSITORY}{'tree' if place[0] in folders else 'blob'}/main/{place[0]}{anchor}"
        text = text[:match.start(group)] + new + text[match.end(group):]
    return text


def spaced(text):
    """The text with an empty line before each list: GitHub does without, Python's Markdown does not."""
    lines, fenced, before = [], False, ""
    for line in text.splitlines():
        if re.match(r" *(```|~~~)", line):
            fenced = not fenced
        item = re.match(r"(-|\d+\.) ", line)
        if item and not fenced and before.strip() and not re.match(r"(-|\d+\.) |  ", before):
            lines.append("")
        lines.append(line)
        before = line
    return "\n".join(lines) + "\n"


def stage():
    """Puts all pages below .build/pages, in their places."""
    shutil.rmtree(SOURCES, ignore_errors=True)
    files = links.tracked()
    folders = links.folders(files)
    pages = {path for path in files if path.endswith(".md") and not path.startswith(".github/")}
    extra = {path for path in files if path.startswith("docs/") and path not in pages}
    for path in pages:
        place = SOURCES / path
        place.parent.mkdir(parents=True, exist_ok=True)
        # mkdocs draws no diagrams; their text is readable.
        text = (PROJECT / path).read_text()
        text = text.replace("```mermaid", f"The text of a diagram that [GitHub draws]({links.REPOSITORY}blob/main/{path}):\n\n```")
        place.write_text(spaced(rewritten(path, text, pages | extra, folders)))
    for path in extra:
        (SOURCES / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PROJECT / path, SOURCES / path)
    contents = (PROJECT / "mkdocs.yml").read_text()
    missing = [path for path in sorted(pages) if path not in contents and not re.match(r"docs/decisions/\d", path)]
    if missing:
        sys.exit(f"mkdocs.yml: nav lacks {', '.join(missing)}")


class Page(html.parser.HTMLParser):
    """Links, loaded files and anchors of a page of the site."""

    def __init__(self, text):
        super().__init__()
        self.links, self.loaded, self.anchors = [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.anchors.update(value for name, value in attributes.items() if name in ("id", "name") and value)
        loads = tag in ("script", "img", "source", "iframe") or tag == "link" and attributes.get("rel") in ("stylesheet", "icon")
        for name in ("href", "src"):
            if attributes.get(name):
                (self.loaded if loads else self.links).append(attributes[name])


def wrong(texts, files):
    """What is wrong with a site of these HTML texts and files, one line each."""
    pages = {path: Page(text) for path, text in texts.items()}
    for path, page in pages.items():
        for target in page.links + page.loaded:
            parts = urllib.parse.urlsplit(target)
            if parts.scheme or parts.netloc:
                if target in page.loaded and parts.scheme != "data":
                    yield f"{path}: loads {target}"
                continue
            place = path
            if parts.path:
                # Sites are published below a folder of their own, so only 404.html, which is shown anywhere, has absolute links.
                base = "" if parts.path.startswith("/") else posixpath.dirname(path)
                place = posixpath.normpath(posixpath.join(base, urllib.parse.unquote(parts.path).lstrip("/")))
                if place not in files:
                    place = posixpath.normpath(posixpath.join(place, "index.html"))
            if place not in files:
                yield f"{path}: {target} leads nowhere"
            elif parts.fragment and place in pages and urllib.parse.unquote(parts.fragment) not in pages[place].anchors | {"top"}:
                yield f"{path}: {target} has no such anchor"


def check():
    """Ends the process with 1 if a link of the built site leads nowhere, or a page needs another server."""
    files = {str(path.relative_to(SITE)).replace(os.sep, "/") for path in SITE.rglob("*") if path.is_file()}
    texts = {path: (SITE / path).read_text() for path in files if path.endswith(".html") and path != "404.html"}
    found = sorted(set(wrong(texts, files)))
    print("\n".join(found + [f"docs: {len(texts)} pages in {SITE.relative_to(PROJECT)}, {len(found)} wrong links"]))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    {"stage": stage, "check": check}[sys.argv[1]]()
