"""Checks of everything that deploys the system, and what makes and tries its files."""
