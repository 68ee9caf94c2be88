"""Tables of what models were trained on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from data.errors import DataError
from data.learnt import read_learnt
from tests.fuzz.judge import Reader, Wrong

_HEAD = b"video,time_start,time_end,label,split,frame_start,frame_end,path,content,group,by\n"
_SEEDS = [
    _HEAD + b"a,0.0,1.2,x,train,0,12,a.mp4,0f,a,video\na,1.2,2.0,y,train,12,20,,,,\n"
    b"b,0.0,2.0,NA,test,0,20,s/b.mp4,1f,s,site\n",
    b"video,label,split,path,content,group,by\na,x,train,a.mp4,0f,a,video\n"
    b'b,"x, y",valid,b.mp4,1f,b,video\n',
]
_WORDS = (b"video", b"label", b"train", b"12", b"-1", b"nan", b'"', b",,,,\n", b"1e9", b"../")


def _make(folder: Path) -> Callable[[bytes], Any]:
    path = folder / "labels.csv"

    def read(content: bytes) -> None:
        path.write_bytes(content)
        table = read_learnt(path)
        rows = table.rows
        if rows.empty or set(rows["video"].unique()) != set(table.videos.index):
            raise Wrong("videos of rows and of the table differ")
        if table.unit == "frame" and not (rows["frame_start"] < rows["frame_end"]).all():
            raise Wrong("a stretch is empty")

    return read


READER = Reader(_make, lambda: _SEEDS, (DataError,), share=10, words=_WORDS)
