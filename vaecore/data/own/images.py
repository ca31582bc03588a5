"""Pictures of one's own: a folder or a zip of picture files, or arrays of them. See `Images`.

How they are read stands in `pictures/`: `folder.py` lists files and knows them again, `decoding.py` decodes one,
`stacks.py` reads arrays, `piles.py` gives the pictures of either, `known.py` finds classes, groups and splits.
`survey.py` notes what each picture is, `plan.py` decides from all of them what becomes of each, with `levels.py` for
numbers and channels and `fits.py` for sizes.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import islice
from math import prod
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from PIL import ImageColor
from pydantic import Field, field_validator

from vaecore.arrays import Labels
from vaecore.data import npz
from vaecore.data.base import (
    MAPPED_FROM,
    MAX_CLASSES,
    MAX_SIDE,
    SPLITS,
    Array,
    Dataset,
    DataUnavailable,
    ImageConfig,
    SplitName,
    kept_names,
)
from vaecore.data.converted import converted, in_memory
from vaecore.data.own import splitting
from vaecore.data.own.file import FEW, MAX_FILE_BYTES, OwnFile, digest_of, place_of, wrong
from vaecore.data.own.pictures import decoding, folder, stacks
from vaecore.data.own.pictures.decoding import Unreadable
from vaecore.data.own.pictures.fits import Fit
from vaecore.data.own.pictures.folder import File, Listing, OnDisk
from vaecore.data.own.pictures.known import (
    Known,
    from_folders,
    from_table,
)
from vaecore.data.own.pictures.levels import Channels, Levels
from vaecore.data.own.pictures.piles import Arrays, Files, Pile
from vaecore.data.own.pictures.plan import Plan, planned
from vaecore.data.own.pictures.stacks import Stacks
from vaecore.data.own.pictures.survey import (
    FACTS,
    READ,
    Survey,
    surveyed,
)
from vaecore.data.own.splitting import Rows
from vaecore.data.own.tables.cells import ordered
from vaecore.data.own.tables.contents import PLAIN
from vaecore.schema import ConfigError, option, problem
from vaecore.words import are, counted, shown, some

MIN_PICTURES = 3  # one for each split
MOST_UNREADABLE = 0.25  # of the pictures; of more, something else is wrong
SURVEY_KEPT_FROM = 2_000  # pictures
BLOCK = 256  # pictures that are prepared at a time
VERSION = 2  # of what is done to pictures: part of the key of those that are kept
TYPED = re.compile(r"\d{1,6}(\s*[,;x×]\s*\d{1,6})?")  # a size
Side = Annotated[int, Field(ge=0, le=MAX_SIDE)]
ARRAYS = (".npy", ".npz")
KIND = "folder of pictures, .zip, .npy, .npz, IDX or TIFF file"
IN_WORDS = {1: "grey", 3: "colour", 4: "4 channels"}


@dataclass(frozen=True)
class Found:
    """What lies at the path: pictures, what is known of each, and what was left out, in words."""

    pile: Pile
    known: Known
    left_out: tuple[str, ...] = ()
    ordered: bool = False  # neighbours are alike, as in a stack of slices


class Images(OwnFile, ImageConfig):
    """Your own pictures, brought to one size, with classes from sub-folders or from a table beside.

    `image` (C, H, W) in uint8.
    """

    title: ClassVar[str] = "Pictures of your own"
    as_several: ClassVar[tuple[str, ...]] = ("data.name=images-labels",)
    file: ClassVar[str] = KIND
    unchosen: ClassVar[str] = ("No pictures are chosen. Give data.path: a folder of picture files, a .zip of one, an "
                               ".npy or .npz, an IDX file, or a TIFF of many pages.")
    several: ClassVar[bool] = True
    endings: ClassVar[tuple[str, ...]] = (".zip", *ARRAYS, *decoding.ENDINGS, ".idx3-ubyte", ".idx1-ubyte", ".gz")
    alone: ClassVar[tuple[str, ...]] = (".zip", *ARRAYS, *decoding.PAGED, "ubyte", "ubyte.gz")
    upload: ClassVar[str] = "Pictures, or a zip of them"
    invitation: ClassVar[str] = "Pictures are shown here once there are some, or the path of a folder."
    name: Literal["images"] = "images"
    path: str = option("", "A folder of pictures on this machine (PNG, JPEG, WebP, BMP, TIFF, AVIF, GIF) or a .zip of "
                       "one, with a sub-folder a class, or a CSV beside them; or an .npy, .npz, IDX file or TIFF of "
                       "many pages.")
    size: tuple[Side, ...] = option((0, 0), "Height and width of the pictures; one number means a square. 0 takes the "
                                    "most common ones, of many sizes the middle ones, made smaller where they are "
                                    "larger than can be.", unit="pixels",
                                    min_length=1, max_length=2)
    fit: Fit = option("pad", "How pictures of another size come to it: pad scales the whole picture until it fits in, "
                      "with background beside it; crop scales it until it fills the size, and cuts off what stands "
                      "over; stretch scales height and width apart; as they are refuses them.")
    channels: Channels = option("auto", "Grey levels, colours, or colours and how opaque each pixel is. auto is grey "
                                "where all pictures are, colour where one is not, and as they are for arrays of "
                                "another number of channels.")
    background: str = option("auto", "Colour beside padded pictures and behind transparent parts: white, black, "
                             "another name or #rrggbb. auto is white or black, as the edges of the pictures are; "
                             "behind transparent parts black where what is drawn is light.")
    label: str = option("", "Column of the table beside the pictures that names their classes; empty finds it, or "
                        "takes the sub-folders.", advanced=True)
    split: Literal["auto", "data", "group", "order", "seed"] = option(
        "auto", "What decides who is in which split: a split that the data bring, as folders train and test; groups "
        "that are not torn apart; the order, with the last held out; or the seed. auto takes the first that there is, "
        "and the order for one stack of slices, as neighbours are alike.")
    group: str = option("", "What belongs together: a column of the table beside the pictures, an array of the .npz, "
                        "or folder, for the folder that a picture lies in. Empty finds one called group, patient or "
                        "subject.", advanced=True)
    held_out: float = option(0.1, "Share of the pictures for validation, and as many for test.", unit="of pictures",
                             gt=0, le=0.4)
    split_seed: int = option(0, "Seed of the shuffle and of the split.", ge=0, le=2**31 - 1, advanced=True)
    digest: str = digest_of("the files", "other pictures")

    @field_validator("size", mode="before")
    @classmethod
    def _as_typed(cls, value: Any) -> Any:
        """One number, or two as a person types them: "28, 20", "28x20"."""
        if isinstance(value, str) and TYPED.fullmatch(value.strip()):
            return tuple(map(int, re.findall(r"\d+", value)))
        return (value,) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("background")
    @classmethod
    def _colour(cls, value: str) -> str:
        if value != "auto":
            try:
                ImageColor.getrgb(value)
            except ValueError:
                raise ValueError(f"'{value[:40]}' is no colour. Use auto, white, black, or #rrggbb.") from None
        return value

    # -- what lies there ---------------------------------------------------------------------------

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Whether a file, or some entries of a folder, look like pictures; arrays by their headers. Never raises."""
        with suppress(Exception):
            if path.is_dir():
                return any(_is_picture(name) or _is_idx(name) for name in islice(_walked(str(path), 3), FEW))
            low = path.name.lower()
            if not path.is_file():
                return False
            if low.endswith(ARRAYS):
                source = OnDisk.listed(path.name, path, path.stat())
                return stacks.looks_so(source)
            if low.endswith(".zip"):
                with folder.unzipped(str(path), OnDisk.listed(path.name, path, path.stat())) as listing:
                    return any(_is_picture(file.name) or _is_idx(file.name) for file in listing.files)
            return low.endswith(decoding.PAGED) or _is_idx(low)
        return False

    def here(self) -> str:
        """What lies at the path, as far as it is listed."""
        if not self.path:
            raise DataUnavailable(self.unchosen)
        files, _ = self._sources()
        return f"{Path(self.path).name}: {counted(len(files), 'file')}"

    def fingerprint(self) -> str:
        """SHA-256 of the files that are read, by their names and contents; raises `ConfigError`."""
        return folder.fingerprint(self._sources()[0], self.path)

    def _sources(self) -> tuple[list[File], Listing]:
        """The files whose bytes decide what the data are, and all that lies there; of a zip the file itself."""
        place, status = place_of(self.path, KIND)
        if place.is_dir():
            listing = folder.listed(self.path, place)
            return [file for file in listing.files if _is_picture(file.name) or _is_idx(file.name)
                    or file.name.lower().endswith(PLAIN)], listing
        listing = Listing(self.path, [OnDisk.listed(place.name, place, status)])
        if _is_idx(place.name):
            listing.files += stacks.labels_beside(place)
        return listing.files, listing

    @contextmanager
    def _found(self, listing: Listing) -> Iterator[Found]:
        """The pictures of a listing; raises `ConfigError` where there are none."""
        one = listing.files[0] if listing.files else None
        if Path(self.path).expanduser().is_dir() or one is None or _is_idx(one.name):
            with self._of_files(listing) as found:
                yield found
        elif one.name.lower().endswith(ARRAYS):
            read = stacks.from_npy(one, self.path) if one.name.lower().endswith(".npy") else stacks.from_npz(
                one, self.path, self.group)
            yield self._of_arrays(read)
        elif one.name.lower().endswith(".zip"):
            assert isinstance(one, OnDisk)
            with folder.unzipped(self.path, one) as members, self._of_files(members) as found:
                yield found
        elif _is_picture(one.name):
            with Files(listing, listing.files) as pile:
                if len(pile) == 1:
                    raise wrong(self.path, "is a single picture.", f"Give a {KIND}.")
                yield Found(pile, Known(len(pile)), ordered=True)
        else:
            raise wrong(self.path, "is of no kind that pictures are read from.", f"Give a {KIND}.")

    def _of_arrays(self, found: Stacks) -> Found:
        if self.label:
            raise problem("data.label", self.label, "names a column of a table beside pictures, and here is none.",
                          "Leave it out: labels are in the array 'labels'.")
        if self.group and found.known.groups is None:
            raise problem("data.group", self.group, f"there are no groups in '{self.path}'.",
                          "Leave it out, or put the pictures into an .npz with an array of that name.")
        return Found(Arrays(found.stacks), found.known, tuple(found.left_out))

    @contextmanager
    def _of_files(self, listing: Listing) -> Iterator[Found]:
        pictures = [file for file in listing.files if _is_picture(file.name)]
        tables = [file for file in listing.files if file.name.lower().endswith(PLAIN)]
        if not pictures and (found := stacks.from_idx([f for f in listing.files if _is_idx(f.name)], self.path)):
            yield self._of_arrays(found)
            return
        used = {file.name for file in (*pictures, *tables)}
        others = [file.name for file in listing.files if file.name not in used]
        left_out = []
        if others:
            left_out.append(f"{counted(len(others), 'file')} that {are(len(others))} no picture: {some(others)}")
        if listing.refused:
            left_out.append(_reasons(listing.refused, "file"))
        if not pictures:
            kind = "zip" if listing.source is not None else "folder"
            raise wrong(self.path, f"is a {kind} without pictures" + "".join(f"; in it: {what}" for what in left_out)
                        + ".",
                        f"Put files into it that end in {', '.join(decoding.ENDINGS)}; of arrays give the path itself.")
        with Files(listing, pictures) as pile:
            known = self._known([file.name for file, _ in pile.pages], tables)
            stacked = bool(pile.several) and known.groups is None  # neighbouring slices are alike
            if stacked and len(pictures) >= splitting.FEWEST_GROUPS:
                known.groups, known.group_name = [file.name for file, _ in pile.pages], "file"
            yield Found(pile, known, tuple(left_out), ordered=stacked)

    def _known(self, names: list[str], tables: Sequence[File]) -> Known:
        """What folders say of pictures, and a table beside them where there is one."""
        known = from_folders(names)
        told: list[Known] = []
        faults: dict[str, ConfigError] = {}
        for table in tables:
            try:
                told.append(from_table((table.name, table.content(MAX_FILE_BYTES)), names, self.path, self.label,
                                       self.group))
            except ConfigError as error:
                faults[table.name] = error
            except npz.DAMAGED as error:
                faults[table.name] = wrong(f"{self.path}/{table.name}", f"cannot be read ({error}).",
                                           "Correct it, or take it away.")
        if len(told) > 1:
            raise wrong(self.path, f"has several tables that name its pictures: {some([t.name for t in tables])}.",
                        "Keep one.")
        if faults and not told:
            raise next(iter(faults.values()))
        if faults:
            known.told.append(f"tables that name none of the pictures: {some([*faults])}")
        for each in told:
            known.told += each.told
            known.groups, known.group_name = each.groups, each.group_name
            known.splits = each.splits or known.splits
            if each.labels is not None:
                known.labels, known.label_source = each.labels, each.label_source
        for field, value in (("label", self.label), ("group", "" if self.group == "folder" else self.group)):
            if value and not told:
                raise problem(f"data.{field}", value, f"there is no table beside the pictures of '{self.path}'.",
                              "Put one there, or leave it out.")
        if self.group == "folder":
            known.groups, known.group_name = [name.rpartition("/")[0] for name in names], "folder"
        return known

    # -- what becomes of it ------------------------------------------------------------------------

    def load(self) -> Dataset:
        """Read, brought to one size, and split; raises `ConfigError`, which names the file, for what is no data."""
        if not self.path:
            raise DataUnavailable(self.unchosen)
        files, listing = self._sources()
        large = sum(file.size for file in files) >= MAPPED_FROM
        digest = folder.fingerprint(files, self.path) if files and (large or self.digest) else ""
        if files:  # a folder without any is no changed one: it is said what it lacks
            self.check_same(digest)
        with self._found(listing) as found:
            return self._finished(found, digest)

    def _finished(self, found: Found, digest: str) -> Dataset:
        survey = self._survey(found.pile, digest)
        left_out = [*found.left_out, *self._unreadable(found.pile, survey), *found.known.told]
        rows = np.flatnonzero(survey.of(READ)).astype(np.int64)
        if len(rows) < MIN_PICTURES:
            raise wrong(self.path, f"has {counted(len(rows), 'picture')}"
                        + (f"; left out: {'; '.join(left_out)}" if left_out else "") + ".",
                        f"Give at least {MIN_PICTURES}: one to learn from, one each for validation and test.")
        plan, done = planned(self, found.pile, survey, rows)
        splits, split_by, more = self._split(found, rows)
        left_out += more
        labels, classes, more = _numbered(found.known)
        left_out += more
        order = np.concatenate([splits[split] for split in SPLITS])
        images = self._images(found.pile, order, plan, digest)
        cuts = np.cumsum([len(splits[split]) for split in SPLITS])
        parts: dict[SplitName, Array] = dict(zip(SPLITS, np.split(images, cuts[:-1]), strict=True))
        sizes = " / ".join(f"{len(splits[split]):,}" for split in SPLITS)
        channels, height, width = images.shape[1:]
        told = (f"{Path(self.path).name}: {sizes} pictures, {height} × {width}, "
                f"{IN_WORDS.get(channels, f'{channels} channels')}"
                + (f", {len(classes)} classes" if classes else ""))
        dataset = self.finish("images", told, parts,
                              None if labels is None else {split: labels[splits[split]] for split in SPLITS})
        return replace(dataset, classes=kept_names(classes), done=tuple(done), left_out=tuple(left_out),
                       split_by=split_by)

    def _survey(self, pile: Pile, digest: str) -> Survey:
        """What each picture is; of many it is kept, as all have to be read for it."""
        if digest and len(pile) >= SURVEY_KEPT_FROM:
            facts = converted(f"pictures-{VERSION}-{digest[:32]}", (len(pile), FACTS), np.float64,
                              lambda start: surveyed(pile, start), f"a first look at {Path(self.path).name}")
            return Survey(np.asarray(facts, np.float64))
        return Survey(np.asarray(in_memory((len(pile), FACTS), np.float64, lambda start: surveyed(pile, start),
                                           f"a first look at {Path(self.path).name}"), np.float64))

    def _unreadable(self, pile: Pile, survey: Survey) -> list[str]:
        """What cannot be read, in words; raises `ConfigError` where that is much of all."""
        bad = np.flatnonzero(survey.of(READ) == 0)
        if not len(bad):
            return []
        reasons = {pile.name(int(bad[place])): str(found) for places, found in pile.read(bad[:5], lambda _: "")
                   for place in places}
        said = _reasons(reasons, "picture", len(bad))
        if len(bad) > MOST_UNREADABLE * len(survey):
            raise wrong(self.path, f"has {len(survey):,} pictures, of which too many cannot be read: {said}.",
                        "Correct them, or take them away.")
        return [said]

    def _split(self, found: Found, rows: Rows) -> tuple[dict[SplitName, Rows], str, list[str]]:
        """The rows of each split, shuffled; what decided it; and what was left out for it."""
        known, seed, share = found.known, self.split_seed, self.held_out
        asked = self.split
        groups = known.groups
        if asked == "data" or (asked == "auto" and known.splits):
            if not known.splits:
                raise problem("data.split", asked, f"'{self.path}' brings no split.", "Use auto, or folders train and "
                              "test, or a column split.")
            return self._given(known.splits, rows)
        if asked == "group" and groups is None:
            raise problem("data.split", asked, f"'{self.path}' has no groups.",
                          "Name them in data.group: a column, or folder.")
        if groups is not None and asked in ("auto", "group"):
            distinct = len({groups[row] for row in rows.tolist()})
            if distinct >= splitting.FEWEST_GROUPS:
                return (splitting.by_group(rows, groups, share, seed),
                        f"by group '{known.group_name}' ({distinct:,} of them), seed {seed}", [])
            raise problem("data.group", self.group, f"'{known.group_name}' has {counted(distinct, 'group')}, and there "
                          f"are {splitting.FEWEST_GROUPS} splits.", "Use data.split=seed, or finer groups.")
        if asked == "order" or (asked == "auto" and found.ordered):
            parts = splitting.in_order(rows, splitting.held_out(len(rows), share))
            generator = np.random.default_rng(seed)
            return ({split: generator.permutation(part) for split, part in parts.items()},
                    f"in order, the last {len(parts['test']):,} for test"
                    + ("" if asked == "order" else ": neighbours in a stack are alike"), [])
        return splitting.by_seed(rows, splitting.held_out(len(rows), share), seed), f"by seed {seed}", []

    def _given(self, splits: Sequence[str], rows: Rows) -> tuple[dict[SplitName, Rows], str, list[str]]:
        """The split that the data bring; what it lacks comes from its training pictures."""
        generator = np.random.default_rng(self.split_seed)
        said = np.array([splits[row] for row in rows.tolist()])
        parts: dict[SplitName, Rows] = {split: generator.permutation(rows[said == split]) for split in SPLITS}
        missing = [split for split in SPLITS[1:] if not len(parts[split])]
        held = splitting.held_out(len(parts["train"]), self.held_out)
        if len(parts["train"]) <= held * len(missing):
            raise wrong(self.path, f"has {counted(len(parts['train']), 'picture')} to train on by its own split.",
                        "Give more, or use data.split=seed.")
        for split in missing:
            parts[split], parts["train"] = parts["train"][:held], parts["train"][held:]
        told = "by the data's own split" + (f"; {' and '.join(missing)} from its training pictures by seed "
                                            f"{self.split_seed}" if missing else "")
        unsaid = int((said == "").sum())
        return parts, told, [f"{counted(unsaid, 'picture')} of no split"] if unsaid else []

    def _images(self, pile: Pile, order: Rows, plan: Plan, digest: str) -> Array:
        """The pictures in this order as they are trained on, uint8 (N, C, H, W); from the cache where they are many."""
        first = self._block(pile, order[:1], plan)
        shape = len(order), *first.shape[1:]

        def blocks(start: int) -> Iterator[Array]:
            for place in range(start, len(order), BLOCK):
                yield self._block(pile, order[place:place + BLOCK], plan)

        what = f"the pictures of {Path(self.path).name}"
        if prod(shape) >= MAPPED_FROM:
            key = repr((VERSION, digest or self.fingerprint(), plan, hashlib.sha256(order.tobytes()).hexdigest()))
            return converted(f"images-{hashlib.sha256(key.encode()).hexdigest()[:32]}", shape, np.uint8, blocks, what)
        return in_memory(shape, np.uint8, blocks, what)

    def _block(self, pile: Pile, rows: Rows, plan: Plan) -> Levels:
        made: Levels | None = None
        for places, found in pile.read(rows, plan.prepared, plan.enough):
            if isinstance(found, Unreadable):  # it could be read a moment ago
                raise wrong(self.path, f"changed while it was read: {pile.name(int(rows[places[0]]))} {found}",
                            "Read it again once nothing writes to it.")
            if made is None:
                made = np.empty((len(rows), *found.shape[1:]), np.uint8)
            made[places] = found
        assert made is not None
        return made


def _numbered(known: Known) -> tuple[Labels | None, Sequence[str], list[str]]:
    """Labels (N,) by number, -1 where missing; what they are called; and why they were left out, if they were."""
    if known.labels is None:
        return None, (), []
    names = known.class_order or ordered({label for label in known.labels if label})
    if len(set(known.labels) - {""}) < 2:
        only = f"all are '{names[0]}'" if names else "all are missing"
        return None, (), [f"the labels from {known.label_source}: {only}"]
    if len(names) > MAX_CLASSES:
        return None, (), [f"the labels from {known.label_source}: {len(names):,} classes, and at most {MAX_CLASSES} "
                          "are kept"]
    number = {name: place for place, name in enumerate(names)} | {"": -1}
    return np.array([number[label] for label in known.labels], np.int64), names, []


def _is_picture(name: str) -> bool:
    return name.lower().endswith(decoding.ENDINGS)


def _is_idx(name: str) -> bool:
    return not _is_picture(name) and stacks.IDX.fullmatch(name.rpartition("/")[2]) is not None


def _walked(place: str, depth: int) -> Iterator[str]:
    """Names in a folder and in those in it, some of each and so many levels deep, less what cannot be read."""
    below = []
    with suppress(OSError), os.scandir(place) as entries:
        for entry in islice(entries, FEW):
            if folder.hidden(entry.name):
                continue
            with suppress(OSError):  # a link in a circle
                if entry.is_dir():
                    below.append(entry.path)
                else:
                    yield entry.name
    for each in below if depth else ():
        yield from _walked(each, depth - 1)


def _reasons(reasons: dict[str, str], what: str, count: int = 0) -> str:
    """What was left out, the first by name with the reason."""
    count = count or len(reasons)
    named = [f"{shown(name)} {reason}".rstrip(".") for name, reason in [*reasons.items()][:5]]
    more = f" and {count - len(named):,} more" if count > len(named) else ""
    return f"{counted(count, what)}: {'; '.join(named)}{more}"
