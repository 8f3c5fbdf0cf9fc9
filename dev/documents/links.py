"""Links of Markdown files: what they point at, and whether it exists. Used by check.py and pages.py."""

import os
import pathlib
import re
import subprocess
import urllib.parse

from dev.project import PROJECT

REPOSITORY = "https://github.com/sensor-services/sensor-services/"
# Files that tell what was: their paths may be gone by now.
HISTORY = re.compile(r"CHANGELOG\.md|docs/decisions/.*")


def tracked(*patterns):
    """Files of the repository, new ones too, as paths from its top."""
    # In a container of a CI the checkout may belong to another user.
    output = subprocess.run(
        ["git", "-c", f"safe.directory={PROJECT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard",
         "--deduplicate", "--", *patterns],
        cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    return [path for path in output.split("\0") if path and (PROJECT / path).is_file()]


def slug(text, separator="-"):
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", separator)


def without_code(text):
    """The text with fenced blocks and code spans blanked, so that lines keep their numbers."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group())
    text = re.sub(r"(?ms)^ *(```+|~~~+)[^\n]*\n.*?^ *\1[ \t]*$", blank, text)
    return re.sub(r"(?s)(`+)(?!`).+?(?<!`)\1(?!`)", blank, text)


def anchors(text):
    """All anchors of a Markdown text: of its headings, repeated ones numbered, and of its HTML."""
    text = re.sub(r"(?ms)^ *(```+|~~~+)[^\n]*\n.*?^ *\1[ \t]*$", "", text)
    found, seen = set(re.findall(r"""<a\s+(?:id|name)=["']([^"']+)""", text)), {}
    for heading in re.findall(r"(?m)^#{1,6}[ \t]+(.+?)[ \t]*#*$", text):
        name = slug(re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading))
        times = seen[name] = seen.get(name, -1) + 1
        found.add(f"{name}-{times}" if times else name)
    return found


LINK = re.compile(
    r"""\]\(\s*<?(?P<inline>[^()\s>]*(?:\([^()\s]*\)[^()\s>]*)*)>?(?:\s+["'][^)]*)?\)"""
    r"""|^\ {0,3}\[[^\]]+\]:\s*<?(?P<reference>[^\s>]+)"""
    r"""|\b(?:href|src|srcset)=["'](?P<html>[^"']+)""", re.M)


def links(text):
    """(line, target) of each link, image and reference of a Markdown text."""
    text = without_code(text)
    for match in LINK.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match[match.lastgroup]


def resolve(path, target):
    """(path from the top, anchor) that a link in the file `path` means; None if it leads out of the repository."""
    for view in ("blob/main/", "tree/main/"):
        if target.startswith(REPOSITORY + view):
            path, target = "README.md", "/" + target[len(REPOSITORY + view):]
    if re.match(r"[a-z][a-z0-9+.-]*:|//", target, re.I):
        return None
    file, _, anchor = target.partition("#")
    file, anchor = urllib.parse.unquote(file), urllib.parse.unquote(anchor)
    if not file:
        return path, anchor
    base = "" if file.startswith("/") else os.path.dirname(path)
    return os.path.normpath(os.path.join(base, file.lstrip("/"))), anchor


def folders(paths):
    """All folders that hold one of these files."""
    return {str(parent) for path in paths for parent in pathlib.PurePath(path).parents}


def problem(path, target, files, texts):
    """What is wrong with a link in the file `path`, or None."""
    place = resolve(path, target)
    if place is None:
        return None
    file, anchor = place
    if file not in files and file not in folders(files):
        return f"{target}: there is no {file}"
    if anchor and file.endswith(".md") and anchor not in anchors(texts(file)):
        return f"{target}: {file} has no heading #{anchor}"
    return None


def mentions(text):
    """(line, path) of each page of docs/ that a text names, such as `docs/schema.md` or docs/decisions/0007."""
    for match in re.finditer(r"(?<![\w/.-])docs/(?:decisions/\d{4}[\w-]*(?:\.md)?|[\w/-]+\.(?:md|yaml|svg))(?![\w/])", text):
        yield text.count("\n", 0, match.start()) + 1, match.group()


def code_paths(text, tops):
    """(line, path) of each code span that names a path below one of the top folders."""
    text = re.sub(r"(?ms)^ *(```+|~~~+)[^\n]*\n.*?^ *\1[ \t]*$", lambda m: re.sub(r"[^\n]", " ", m.group()), text)
    for match in re.finditer(r"`([\w.-]+)/([\w./-]*)`", text):
        if match[1] in tops:
            yield text.count("\n", 0, match.start()) + 1, match.group().strip("`").rstrip("/")
