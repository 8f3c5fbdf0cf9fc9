"""Links, pages and pictures of the documentation."""
