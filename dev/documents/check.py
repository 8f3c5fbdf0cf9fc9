"""Checks every link of the repository's Markdown files, offline: the file or folder exists, and so does the anchor's heading.

Links to this repository on GitHub count as links to its files. Also checked are pages of docs/ that other files name, and paths
in code spans, such as `scripts/setup`, outside of the changelog and the decisions; and that docs/decisions/README.md lists every
decision. Exits with 1 if something is wrong.
"""
import functools
import io
import re
import sys
import unittest

from dev.documents import links, test_links
from dev.project import PROJECT


@functools.cache
def text(path):
    return (PROJECT / path).read_text(errors="replace")


def problems():
    """One line for each wrong link, and how many were looked at."""
    files = set(links.tracked())
    folders, tops, looked = links.folders(files), {path.partition("/")[0] for path in files if "/" in path}, 0
    found = []
    for path in sorted(path for path in files if path.endswith(".md")):
        for line, target in links.links(text(path)):
            looked += 1
            wrong = links.problem(path, target, files, text)
            if wrong:
                found.append(f"{path}:{line}: {wrong}")
        if links.HISTORY.fullmatch(path):
            continue
        for line, named in links.code_paths(text(path), tops):
            looked += 1
            if named not in files and named not in folders:
                found.append(f"{path}:{line}: `{named}` does not exist")
    for path in sorted(files):
        if links.HISTORY.fullmatch(path) or path == "dev/documents/test_links.py" or (PROJECT / path).stat().st_size > 1_000_000:
            continue
        for line, named in links.mentions(text(path)):
            looked += 1
            # docs/decisions/0007 and the like begin a name.
            if named not in files and not (named.startswith("docs/decisions/") and any(f.startswith(named) for f in files)):
                found.append(f"{path}:{line}: there is no {named}")
    listed = {target for _, target in links.links(text("docs/decisions/README.md"))}
    for path in sorted(files):
        name = path.removeprefix("docs/decisions/")
        if re.match(r"\d{4}-[^/]*\.md$", name) and name != path and name not in listed:
            found.append(f"docs/decisions/README.md: lacks {name}")
    return found, looked


def main():
    tests, told = unittest.defaultTestLoader.loadTestsFromModule(test_links), io.StringIO()
    if not unittest.TextTestRunner(stream=told).run(tests).wasSuccessful():
        print(told.getvalue(), file=sys.stderr)
        return 1
    found, looked = problems()
    print("\n".join(found + [f"check-links: {looked} links, {len(found)} wrong"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
