"""What a person wrote beside a run: another title, tags, a note, whether it is pinned or archived.

It lies in `marks.json` of the run's folder; of a run that is never written to, in `<own store>/marks/`. Such a file may
come from anywhere: what cannot be read of it is passed over. No torch, and nothing that changes a file: that is in
`vaecore/library/marks.py`.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, StrictBool, ValidationError

from vaecore.files import BrokenFile, read_json
from vaecore.untrusted import Untrusted

NAME = "marks.json"
MAX_MARKS_BYTES = 100_000
LONGEST_TITLE, LONGEST_NOTE, LONGEST_TAG, MOST_TAGS = 80, 2_000, 40, 30  # characters; tags of a run
TAG = re.compile(r"[^\W_](?:[\w./-]*[\w])?")
# Signs that turn the direction of a line, and so what is read around them.
TURNING = {chr(code) for code in (0x200E, 0x200F, 0x061C, *range(0x202A, 0x202F), *range(0x2066, 0x206A))}

JOINERS = "\u200c\u200d"  # of no width, and needed: in Persian, in signs made of several
BLANKS = "\u115f\u1160\u2800\u3164\uffa0"  # letters and a symbol that are drawn as nothing


def title_fault(title: str) -> str:
    """Why `title` cannot be a run's title, as the end of a sentence; empty where it can."""
    if not title.strip():
        return "it is empty"
    if len(title) > LONGEST_TITLE:
        return f"it has {len(title)} characters, and a title has at most {LONGEST_TITLE}"
    hidden = any(_unseen(sign) or (unicodedata.category(sign) == "Cf" and sign not in JOINERS) for sign in title)
    return "it holds a sign that is not seen" if hidden or all(map(_blank, title)) else ""


def note_fault(note: str) -> str:
    """Why `note` cannot be a run's note, as the end of a sentence; empty where it can."""
    if len(note) > LONGEST_NOTE:
        return f"it has {len(note):,} characters, and a note has at most {LONGEST_NOTE:,}"
    return "it holds a sign that is not seen" if any(map(_unseen, note.replace("\n", "").replace("\t", ""))) else ""


def tag_fault(tag: str) -> str:
    """Why `tag` cannot be a tag, as the end of a sentence; empty where it can."""
    if len(tag) > LONGEST_TAG:
        return f"it has {len(tag)} characters, and a tag has at most {LONGEST_TAG}"
    return "" if TAG.fullmatch(tag) else "a tag is one word of letters, digits, '-', '_', '.' and '/'"


def _unseen(sign: str) -> bool:
    return unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") or sign in TURNING


def _blank(sign: str) -> bool:
    """Whether nothing is drawn for a sign that stands alone."""
    return sign in BLANKS or unicodedata.category(sign) in ("Cf", "Mn", "Zs")


def _title(value: str) -> str:
    return value.strip() if value and not title_fault(value) else ""


def _note(value: str) -> str:
    return "" if note_fault(value) else value


def _tags(values: tuple[Any, ...]) -> tuple[str, ...]:
    good = (value for value in values[:1_000] if isinstance(value, str) and not tag_fault(value))
    return tuple(dict.fromkeys(good))[:MOST_TAGS]


class Marks(Untrusted):
    """`marks.json`, less what cannot be read of it."""

    title: Annotated[str, AfterValidator(_title)] = ""
    note: Annotated[str, AfterValidator(_note)] = ""
    tags: Annotated[tuple[Any, ...], AfterValidator(_tags)] = ()
    pinned: StrictBool = False
    archived: StrictBool = False


def read(path: Path) -> tuple[Marks, str]:
    """What stands in the file `path`, and what was passed over in it, in words; no marks where there is no file."""
    try:
        values = read_json(path, MAX_MARKS_BYTES)
        if values is None:
            return Marks(), ""
        found = Marks.kept(values)
    except BrokenFile as error:
        return Marks(), f"Its marks are passed over: {error}"
    except ValidationError:
        return Marks(), f"Its marks are passed over: {path.name} does not hold a set of fields."
    passed = [name for name in Marks.model_fields if name in values and _differs(values[name], getattr(found, name))]
    return found, f"Passed over in {path.name}: {', '.join(passed)}." if passed else ""


def _differs(written: Any, kept: Any) -> bool:
    if isinstance(kept, tuple):
        return not isinstance(written, list) or list(kept) != written
    return written.strip() != kept.strip() if isinstance(written, str) and isinstance(kept, str) else written != kept
