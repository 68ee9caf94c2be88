"""From what a decoder gives to upright RGB pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

# Where the corners of an upright picture are in a stored one, which has them in the order 0, 1, 2, 3.
_STORED = {
    (0, 1, 2, 3): "",
    (1, 3, 0, 2): "turned by 90 degrees",
    (3, 2, 1, 0): "turned by 180 degrees",
    (2, 0, 3, 1): "turned by 270 degrees",
}


class Pictures:
    """From a frame of PyAV to ``[H, W, 3]`` RGB, upright, by a filter graph that reuses memory.

    Fresh memory for each frame, as in PyAV's own `reformat`, takes half of the time of reading a video.
    A picture's memory is used again when nobody holds it.

    Args:
        width: of the pictures before they are turned upright; None: as they are.
    """

    def __init__(self, width: int | None = None) -> None:
        self._width = width
        self._graph: Any = None
        self._format: tuple[Any, ...] = ()
        self._size = (0, 0)

    def __call__(self, frame: Any) -> np.ndarray:
        return self.of(frame, display_matrix(frame))

    def of(self, frame: Any, matrix: np.ndarray | None) -> np.ndarray:
        """The same of a frame that does not say how it is to be turned.

        Args:
            matrix: as of `display_matrix`.
        """
        frame_format = (
            frame.width,
            frame.height,
            frame.format.name,
            frame.colorspace,
            frame.color_range,
        )
        if frame_format != self._format:  # some cameras change it within a file
            self._size = self._size_of(frame)
            self._graph, self._format = _rgb_graph(*frame_format, self._size), frame_format
        self._graph.push(frame)
        plane = self._graph.pull().planes[0]
        width, height = self._size
        rows = np.frombuffer(plane, np.uint8).reshape(height, plane.line_size)
        image = rows[:, : width * 3].reshape(height, width, 3)
        return image if matrix is None else _upright(image, matrix)

    def _size_of(self, frame: Any) -> tuple[int, int]:
        """Width and height of the picture of a frame."""
        if self._width is None:
            return frame.width, frame.height
        return self._width, max(2, round(self._width * frame.height / frame.width))


def upright_size(frame: Any) -> tuple[int, int]:
    """Height and width of a frame of PyAV as it is shown."""
    size, matrix = (frame.height, frame.width), display_matrix(frame)
    return size if matrix is None or not _turned(matrix) else (size[1], size[0])


def display_matrix(frame: Any) -> np.ndarray | None:
    """``[2, 2]``: from places in the file to places on the screen, y downward; None: as it is."""
    for side in frame.side_data:
        if side.type.name == "DISPLAYMATRIX":
            # 3 x 3 int32, of which the upper left corner turns and mirrors (libavutil/display.h).
            return np.frombuffer(bytes(side)[:36], np.int32).reshape(3, 3)[:2, :2]
    return None


def _turned(matrix: np.ndarray) -> bool:
    """Whether rows become columns."""
    whole = np.abs(matrix.astype(np.int64))
    return bool(whole[0, 1] + whole[1, 0] > whole[0, 0] + whole[1, 1])


def _upright(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """As a player shows it: by quarter turns, and mirrored."""
    if _turned(matrix):
        image = image.transpose(1, 0, 2)
        across, down = matrix[1, 0], matrix[0, 1]
    else:
        across, down = matrix[0, 0], matrix[1, 1]
    return image[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]


def stored(frame: Any) -> str:
    """How a frame of PyAV is stored, if not upright: ``turned by 90 degrees``, or ``mirrored``."""
    matrix = display_matrix(frame)
    if matrix is None:
        return ""
    places = _upright(np.arange(4).reshape(2, 2, 1), matrix).ravel().tolist()
    return _STORED.get(tuple(places), "mirrored")


def _rgb_graph(
    width: int,
    height: int,
    pixels: str,
    colorspace: int,
    color_range: int,
    size: tuple[int, int],
) -> Any:
    from av.filter import Graph

    graph = Graph()
    graph.threads = 1  # one thread takes the least CPU time in all
    source = graph.add(
        "buffer",
        video_size=f"{width}x{height}",
        pix_fmt=pixels,
        time_base="1/1000",
        colorspace=str(int(colorspace)),
        range=str(int(color_range)),
    )
    nodes = [source]
    if size != (width, height):
        nodes.append(graph.add("scale", "{}:{}:flags=bilinear".format(*size)))
    nodes += [graph.add("format", "rgb24"), graph.add("buffersink")]
    graph.link_nodes(*nodes).configure()
    return graph
