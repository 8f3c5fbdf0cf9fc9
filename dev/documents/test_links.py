"""Tests of links.py and pages.py, run by scripts/check-links."""

import unittest

from dev.documents import links, pages

FILES = {"README.md": "# Top\n[a](docs/a.md)", "docs/a.md": "# A b\n## Ünits (m/s²)\n## Same\n## Same\n", "src/x.py": ""}


def problem(path, target):
    return links.problem(path, target, set(FILES), FILES.get)


class Links(unittest.TestCase):
    def test_files_and_folders(self):
        for path, target in [("README.md", "docs/a.md"), ("docs/a.md", "../src/x.py"), ("docs/a.md", "../src/"),
                             ("README.md", "https://example.com/none"), ("README.md", "mailto:a@example.com"),
                             ("README.md", links.REPOSITORY + "blob/main/docs/a.md#a-b")]:
            self.assertIsNone(problem(path, target), target)
        for path, target in [("README.md", "a.md"), ("docs/a.md", "docs/a.md"), ("docs/a.md", "../../README.md"),
                             ("README.md", links.REPOSITORY + "blob/main/docs/b.md")]:
            self.assertIn("there is no", problem(path, target) or "", target)

    def test_anchors(self):
        for target in ["docs/a.md#a-b", "docs/a.md#ünits-ms²", "docs/a.md#same", "docs/a.md#same-1", "#top"]:
            self.assertIsNone(problem("README.md", target), target)
        for target in ["docs/a.md#same-2", "docs/a.md#b", "#a-b"]:
            self.assertIn("has no heading", problem("README.md", target) or "", target)

    def test_code_is_no_link_and_no_heading(self):
        text = "`[a](no.md)` [b](yes.md \"t\")\n```sh\n# [c](no.md)\n```\n[d]: e.md\n<img src=\"f.svg\">\n[g](h(i).md)"
        self.assertEqual(list(links.links(text)), [(1, "yes.md"), (5, "e.md"), (6, "f.svg"), (7, "h(i).md")])
        self.assertEqual(links.anchors("```\n# code\n```\n# `real` [x](y)"), {"real-x"})

    def test_mentions_and_code_paths(self):
        text = "see docs/a.md, docs/decisions/0007, no. 1; mydocs/b.md\n`src/x.py` `src/` `other/y` `a b`"
        self.assertEqual(list(links.mentions(text)), [(1, "docs/a.md"), (1, "docs/decisions/0007")])
        self.assertEqual(list(links.code_paths(text, {"src"})), [(2, "src/x.py"), (2, "src")])


class Pages(unittest.TestCase):
    def test_links_of_a_page(self):
        page = pages.rewritten("docs/a.md", "[s](../src/x.py#L3) [r](../README.md#top) `[s](../src/x.py)` [d](../src) [k](../k8s/)",
                               {"README.md", "docs/a.md", "k8s/README.md"}, {"src", "k8s"})
        self.assertEqual(page, f"[s]({links.REPOSITORY}blob/main/src/x.py#L3) [r](../README.md#top) "
                               f"`[s](../src/x.py)` [d]({links.REPOSITORY}tree/main/src) [k](../k8s/README.md)")

    def test_a_list_begins_after_an_empty_line(self):
        self.assertEqual(pages.spaced("a\n- b\n  c\n- d\n```\ne\n- f\n```\ng\n1. h\n"),
                         "a\n\n- b\n  c\n- d\n```\ne\n- f\n```\ng\n\n1. h\n")

    def test_what_is_wrong_with_a_site(self):
        site = {"index.html": '<a href="a/#x">a</a><script src="https://cdn.example/x.js"></script>',
                "a/index.html": '<h1 id="y">y</h1><a href="../b/">b</a><a href="https://example.com">e</a>'}
        self.assertEqual(sorted(pages.wrong(site, set(site))),
                         ["a/index.html: ../b/ leads nowhere", "index.html: a/#x has no such anchor",
                          "index.html: loads https://cdn.example/x.js"])
