"""A folder of numbered images, read as a video: ``video_1/video_1_00001.jpg`` and so on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from data.errors import VideoError, some
from data.files.image_folder import RATE_FILE, image_number, images_of, may_be_video, rate_file
from data.files.path import File, S3Path
from data.videos.info import EXTENSIONS, VideoInfo

_USUAL = 25.0  # frames a second, where nothing says at what rate images were taken
_LARGEST = 100_000_000  # pixels; a few bytes may promise as many as memory does not hold
_SCATTERED = 10  # times as many numbers missing as there are images: they count no frames


def image_folders(entries: Iterable[File]) -> list[Path]:
    """The folders among whose files, as they are listed, numbered images are and no videos."""
    names: dict[Path, list[str]] = {}
    for path in entries:
        if not isinstance(path, S3Path) and path.suffix:
            names.setdefault(path.parent, []).append(path.name)
    return sorted(
        folder
        for folder, of_folder in names.items()
        if may_be_video(of_folder)
        and not any(Path(name).suffix.lower() in EXTENSIONS for name in of_folder)
    )


def probe_images(folder: Path, fps: float | None = None) -> VideoInfo:
    """What the images in a folder are as a video; only the first one is read.

    They follow each other in the order of the last number in their names. Their rate is that in
    ``fps.txt``, in the folder or in the one above; else `fps`, or 25 a second. Where numbers are
    missing, the time of the images is, too.

    Raises:
        VideoError: they can't be put in order, the rate is none, or the first one is damaged.
    """
    images = images_of(folder)
    numbers, step = _numbers(images)
    rate, remarks = _rate(folder, fps)
    places = (numbers - numbers[0]) // step
    missing = int(places[-1]) + 1 - len(places)
    if missing > _SCATTERED * len(places):
        places = np.arange(len(places))
        remarks.append("the numbers in the images' names are no count: taken one after the other")
    elif missing:
        gaps = np.flatnonzero(np.diff(places) > 1)
        after = some((images[index].name for index in gaps), 3)
        remarks.append(f"{missing} images are missing, after {after}; their time is left empty")
    height, width = read_image(images[0]).shape[:2]
    return VideoInfo(
        folder,
        places / rate,
        rate,
        width,
        height,
        "images",
        numbers=numbers,
        remarks=tuple(remarks),
    )


def _numbers(images: list[Path]) -> tuple[np.ndarray, int]:
    """The number of each image, and the step from one to the next.

    Raises:
        VideoError: one has none, or two have the same.
    """
    if not images:
        raise VideoError("the folder has no images")
    found = [image_number(image.name) for image in images]
    if None in found:
        without = [
            image.name for image, number in zip(images, found, strict=True) if number is None
        ]
        raise VideoError(
            f"{len(without)} of {len(images)} images have no number in their name: {some(without)}; "
            "move them elsewhere"
        )
    numbers = np.array(found, np.int64)
    steps = np.diff(numbers)
    if (same := np.flatnonzero(steps == 0)).size:
        pairs = (f"{images[index].name} and {images[index + 1].name}" for index in same)
        raise VideoError(
            f"images have the same number: {some(pairs, 3)}; give each video a folder of its own"
        )
    return numbers, int(np.gcd.reduce(steps)) if steps.size else 1


def _rate(folder: Path, fps: float | None) -> tuple[float, list[str]]:
    """Images a second, and what is to be said of it.

    Raises:
        VideoError: the file that should say it does not.
    """
    if (file := rate_file(folder)) is None:
        told = f"no {RATE_FILE} says their rate: images are taken as {fps or _USUAL:g} a second"
        return fps or _USUAL, [] if fps else [told]
    try:
        text = file.read_bytes()[:100].decode().strip().replace(",", ".")
        rate = float(Fraction(text))
    except (ValueError, ZeroDivisionError, UnicodeDecodeError, OSError, OverflowError):
        rate = 0.0
    if not 0 < rate < 1e6:
        raise VideoError(
            f"{file} does not say how many images are taken a second: write a number, such as 9.2"
        )
    return rate, []


def read_images(info: VideoInfo, wanted: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the images that are wanted, in order, as uint8 ``[H, W, 3]`` RGB, upright.

    Args:
        wanted: bool ``[N]``.

    Raises:
        VideoError: an image is damaged; the message names it.
    """
    images = images_of(Path(str(info.path)))
    if len(images) < len(info):
        raise VideoError(f"only {len(images)} of its {len(info)} images are there")
    for number in np.flatnonzero(wanted).tolist():
        yield read_image(images[number])


def read_image(image: Path) -> np.ndarray:
    """An image as uint8 ``[H, W, 3]`` RGB, upright.

    Raises:
        VideoError: it is damaged; the message names it.
    """
    import PIL.Image
    import PIL.ImageOps

    try:
        with PIL.Image.open(image) as opened:
            if opened.width * opened.height > _LARGEST:
                raise VideoError(
                    f"it has {opened.width} x {opened.height} pixels, more than a frame"
                )
            picture = PIL.ImageOps.exif_transpose(opened)
            if picture.mode.startswith("I"):  # of 16 bits, which PIL would cut off at 255
                pixels = np.asarray(picture, np.int64) >> 8
                grey = pixels.clip(0, 255).astype(np.uint8)
                return np.repeat(grey[:, :, None], 3, axis=2)
            return np.array(picture.convert("RGB"))
    except Exception as error:  # damage brings out errors of all kinds, and bombs one of PIL's own
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0][:200]
        raise VideoError(f"image {image.name} can't be read ({reason})") from error
