"""Where the project is, and its programs."""
import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
# BUILD=debug takes the programs of a debug build.
PROGRAMS = PROJECT / ".build" / os.environ.get("BUILD", "release")
