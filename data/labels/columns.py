"""Which column of a table says what: as a user says, by our names, or by what people call them."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from data.errors import DataError, nearest, some
from data.files.path import File

FORMS = {
    "frame": ["video", "frame", "label"],
    "range": ["video", "time_start", "time_end", "label"],
    "video": ["video", "label"],
}
OPTIONAL = ("split", "site", "date", "subject")
NAMES = ("video", "frame", "time_start", "time_end", "label", *OPTIONAL)
_TIMES = {"time_start", "time_end"}

# What tables of people call them, by letters and digits alone; no word stands for two.
_CALLED = {
    "video": "file filename filepath path videofile videofilename videoname videopath",
    "frame": "framenumber frameno framenr frameindex frameidx",
    "time_start": "timestart start starttime begin begintime onset",
    "time_end": "timeend end endtime stop stoptime",
    "label": "species class behaviour behavior category",
    "split": "",
    "site": "sitename siteid location locationname locationid camera cameraname cameraid deployment "
    "deploymentname deploymentid station stationname stationid",
    "date": "",
    "subject": "",
}
_SECONDS = re.compile(r"\s*[(\[](s|secs?|seconds?)[)\]]$", re.IGNORECASE)
_WHEN = re.compile(r"(?<![a-z])(start|begin|onset|stop|end|frame)", re.IGNORECASE)
_ALIKE = 0.8  # from which on a name may be a misspelt one of ours
_SHOWN = 12  # columns of a file that lacks one

Given = Mapping[str, str | None]


@dataclass
class Columns:
    """What the columns of a file are.

    Attributes:
        form: of `FORMS`.
        names: of each column: ours; its own in lower case, if videos are grouped by it; its number, if
            it has none in the header; None where it plays no part.
        called: ours to what the file calls it, where that differs.
        notes: what was taken for what, and what plays no part; a line each.
    """

    form: str
    names: list[str | int | None]
    called: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def groupings(self) -> list[str]:
        """Columns that say what videos belong together."""
        needed = {*FORMS[self.form], "split"}
        return [name for name in self.names if isinstance(name, str) and name not in needed]


def columns_of(
    path: File, header: Sequence[str], given: Given | None = None, grouped_by: Iterable[str] = ()
) -> Columns:
    """Say which column is what.

    Args:
        header: as it is written, stripped; empty where a column has no name.
        given: our name to the file's, in any case; None: the file has no such column.
        grouped_by: further columns that say what videos belong together.

    Raises:
        DataError: a column is missing, is there twice, or could be any of several.
    """
    return _Header(path, header, given or {}).columns([name.lower() for name in grouped_by])


class _Header:
    """The header of a file, while its columns are told apart."""

    def __init__(self, path: File, header: Sequence[str], given: Given) -> None:
        self.path, self.written, self.given = path, header, given
        self.of: dict[str, int] = {}  # our name, or one that videos are grouped by, to its column
        self.guessed: set[str] = set()
        self.told: set[str] = set()  # of which a problem says already why they are not there
        self.problems: list[str] = []
        self.notes: list[str] = []

    def columns(self, grouped_by: list[str]) -> Columns:
        for our, name in self.given.items():
            if name is not None:
                self._take(our, name, asked=True)
        for name in [*NAMES, *grouped_by]:
            if name not in self.given and name not in self.of:
                self._take(name, name)
        for our in NAMES:
            if our not in {*self.given, *self.of, *self.told}:
                self._guess(our)
        form = self._form()
        if self.problems:
            raise DataError(self.problems)
        self._tell(form)
        names: list[str | int | None] = [
            None if name else number for number, name in enumerate(self.written, 1)
        ]
        for our, place in self.of.items():
            names[place] = our
        called = {our: self.written[place] for our, place in self.of.items()}
        called = {our: name for our, name in called.items() if name.lower() != our}
        return Columns(form, names, called, self.notes)

    def _take(self, our: str, name: str, *, asked: bool = False) -> None:
        """Take the column of that name, if it is there."""
        wanted = name.strip().lower()
        places = [n for n, written in enumerate(self.written) if written.lower() == wanted]
        key = f"data.columns.{our}: " if asked else ""
        before = len(self.problems)
        if len(places) > 1:
            self.problems.append(f"{key}{self.path}: column '{wanted}' is there twice")
        elif places and places[0] in self.of.values():
            if asked:
                other = next(own for own, place in self.of.items() if place == places[0])
                self.problems.append(f"{key}'{name}' is named for {other}, too; name one for each")
        elif places:
            self.of[our] = places[0]
        elif asked:
            named = [written for written in self.written if written]
            self.problems.append(
                f"{key}{self.path} has no column '{name}'{nearest(wanted, named)}; it has "
                f"{some(named, _SHOWN)}"
            )
        if len(self.problems) > before:
            self.told.add(our)

    def _guess(self, our: str) -> None:
        """Take the one column that has a name which people give to it."""
        words = {_plain(our), *_CALLED[our].split()}
        places = [n for n in self._free() if _plain(self.written[n], our) in words]
        if len(places) == 1:
            self.of[our] = places[0]
            self.guessed.add(our)
        elif places:
            names = [self.written[place] for place in places]
            line = (
                f"{self.path}: {our} could be any of the columns {', '.join(map(repr, names))}; "
                f"say which, as in {_set(our, names[0])}"
            )
            if our in OPTIONAL:
                self.notes.append(f"{line}: none is taken")
            else:
                self.problems.append(line)
                self.told.add(our)

    def _free(self) -> list[int]:
        """Columns with a name that are nothing yet."""
        taken = set(self.of.values())
        return [n for n, name in enumerate(self.written) if name and n not in taken]

    def _form(self) -> str:
        times, frame = _TIMES & self.of.keys(), {"frame"} & self.of.keys()
        if times and frame:  # what is said by a name of ours counts, and most what a user says
            for sure in (self.given.keys(), self.of.keys() - self.guessed):
                of_times, of_frame = times & sure, frame & sure
                if bool(of_times) != bool(of_frame):
                    for our in frame if of_times else times:
                        del self.of[our]
                    return self._complete("range" if of_times else "frame")
            self.problems.append(
                f"{self.path}: it has a frame ('{self.written[self.of['frame']]}') and times "
                f"({some(repr(self.written[self.of[our]]) for our in sorted(times))}) in each row; "
                f"{_set('frame', 'null')} takes the times, {_set('time_start', 'null')} "
                f"{_set('time_end', 'null')} the frame"
            )
        return self._complete("range" if times else "frame" if frame else "video")

    def _complete(self, form: str) -> str:
        """Report what a form needs and the file lacks."""
        if missing := [our for our in FORMS[form] if our not in {*self.of, *self.told}]:
            free, would = self._free(), "none is left for it"
            if free:
                names = " ".join(_set(our, self._likely(our, free)) for our in missing)
                would = f"name it, as in {names}"
            forms = "; ".join(", ".join(columns) for columns in FORMS.values())
            line = (
                f"{self.path}: no column says {' or '.join(map(repr, missing))} among "
                f"{some(filter(None, self.written), _SHOWN)}; {would}. Labels are of one of the "
                f"forms {forms}, and maybe {', '.join(OPTIONAL)}"
            )
            if half := _TIMES & self.of.keys() - set(self.given):
                our = half.pop()
                line += (
                    f"; {_set(our, 'null')} if '{self.written[self.of[our]]}' is no time in a video"
                )
            self.problems.append(line)
        return form

    def _likely(self, our: str, free: list[int]) -> str:
        """The name of the column that is likeliest to be meant, for a user to see how it is said."""

        def likeness(place: int) -> float:
            name = _plain(self.written[place])
            words = [_plain(our), *_CALLED[our].split()]
            return max(difflib.SequenceMatcher(None, name, word).ratio() for word in words)

        best = max(free, key=likeness)
        if likeness(best) < 0.6:
            best = free[0]
        if len(free) > 1:
            free.remove(best)
        return self.written[best]

    def _tell(self, form: str) -> None:
        if taken := [our for our in NAMES if our in self.guessed & self.of.keys()]:
            pairs = ", ".join(f"'{self.written[self.of[our]]}' for {our}" for our in taken)
            self.notes.insert(0, f"{self.path}: taken {pairs}; data.columns can say otherwise")
        if not (free := self._free()):
            return
        names = [self.written[place] for place in free]
        line = f"{self.path}: columns that play no part: {some(map(repr, names))}"
        lacking = [our for our in NAMES if our not in self.of and our not in self.given]
        for name in names:
            close = difflib.get_close_matches(name.lower(), lacking, n=1, cutoff=_ALIKE)
            if close:
                line += f"; if '{name}' is the {close[0]}: {_set(close[0], name)}"
        when = [name for name in names if _WHEN.search(name)]
        if form == "video" and when:
            line += (
                f". A row is of a whole video then: if '{when[0]}' says when in it, in seconds, "
                f"{_set('time_start', when[0])}"
            )
        self.notes.append(line)


def _plain(name: str, our: str = "") -> str:
    """A name by its letters and digits, and without seconds after a time."""
    if our in _TIMES:
        name = _SECONDS.sub("", name)
    return "".join(filter(str.isalnum, name.casefold()))


def _set(our: str, name: str) -> str:
    """What a user adds to a command, so that a column is taken for one of ours."""
    return f"--set {shlex.quote(f'data.columns.{our}={name}')}"
