"""``python -m tuner.best``: the best model of a search, and its predictions."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from data.console import console, output
from tuner import cli
from tuner.config.load import Config, default_results_url
from tuner.config.messages import UserError

# Keys of a configuration that say where files are, and nothing about them.
PLACES = ("data.videos", "data.labels", "data.shared_cache", "data.cache_limit_gb", "storage")

EXAMPLES = """
python -m tuner.best
python -m tuner.best --predict
python -m tuner.best --predict --ensemble auto
python -m tuner.best --predict --set data.videos=/mnt/videos
python -m tuner.best --predict --videos new_videos/ another.mp4
python -m tuner.best --results sqlite:///runs/results.db --search seals --model 7 --predict
python -m tuner.best --model copies/model.pt --predict --videos new_videos/
"""


def arguments() -> argparse.ArgumentParser:
    parser = cli.parser("best", "Show a search's best model, evaluate it, predict.", EXAMPLES)
    parser.add_argument(
        "--results",
        metavar="URL",
        help="the results store (default: what TUNER_RESULTS names, or the SQLite file in runs/)",
    )
    parser.add_argument("--search", metavar="NAME", help="the search (default: the latest)")
    parser.add_argument(
        "--model",
        metavar="ID",
        help="another model than the best, by its model_id; or a model.pt from anywhere, "
        "or its folder, which needs no results store",
    )
    parser.add_argument(
        "--ensemble",
        type=size,
        metavar="auto|K",
        help="average the probabilities of the K best models, or of those that predict the validation "
        "videos best together (default: search.ensemble of the YAML)",
    )
    parser.add_argument(
        "--predict",
        action="store_true",
        help="evaluate the model on its data, test included, and write its predictions and files",
    )
    parser.add_argument(
        "--current-labels",
        action="store_true",
        help="with --predict: evaluate on the labels as they are now, and not on those that the search "
        "began with; no video that the model was trained on is tested on",
    )
    parser.add_argument(
        "--videos",
        nargs="+",
        metavar="PATH",
        help="with --predict: predict these new videos (files or folders, or s3://...) instead",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="where predictions of new videos go"
    )
    cli.add_overrides(parser, f"say where files of the search are now: {', '.join(PLACES)}")
    return parser


def size(text: str) -> int | str:
    """How many models predict together, as of ``search.ensemble``."""
    if text != "auto" and not (text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(
            f"{text} is not a number of models; write auto, or a number such as 3"
        )
    return text if text == "auto" else int(text)


def places(overrides: list[str]) -> list[str]:
    """The overrides, if they only say where files are.

    Raises:
        UserError: one of them would change what the models are.
    """
    for text in overrides:
        key = text.partition("=")[0].strip()
        if key not in PLACES:
            raise UserError(
                f"--set {text}: the models are trained, so only places can be set: {', '.join(PLACES)}"
            )
    return overrides


def predict(config: Config, ensemble: Any, paths: list[str], out: Path | None) -> int:
    """Predict videos that nobody labelled, and say what they show."""
    from tuner.analysis.new_videos import predict_new
    from tuner.api import folder_of

    loaded = [member.load() for member in ensemble.members]
    own, alone = loaded[0].extra, len(loaded) == 1
    found = predict_new(
        loaded,
        paths,
        config.data,
        output,
        weights=ensemble.weights,
        temperature=own.get("temperature", 1.0) if alone else ensemble.temperature,
        thresholds=own.get("thresholds") if alone else ensemble.thresholds,
    )
    return report(found, out or folder_of(config, ensemble.members) / "new_videos")


def predict_with(path: Path, paths: list[str], out: Path | None) -> int:
    """Predict with a model's file alone."""
    from tuner.analysis.model import load_model

    try:
        model = load_model(path)
    except (FileNotFoundError, ValueError) as error:
        raise UserError(
            f"--model: {error}; give a model_id, or the path of a model.pt, which "
            "`tuner.best --predict` writes into the model's folder"
        ) from error
    if not model.knows_fps:
        console.print(
            f"note: {path} is of an earlier version, and does not say at what rate its videos were "
            "sampled: every frame of the new ones is taken (a search with data.fps: its results "
            "store knows)"
        )
    return report(model.predict_all(paths), out or model.path.parent / "new_videos")


def report(found, out: Path) -> int:
    """Write predictions of new videos, and say what the videos show."""
    from tuner.analysis.prediction import PREDICTIONS

    folder = out.absolute()
    listed = found.write(folder)
    for video, rows in found.table.groupby("video"):
        shares = rows["prediction"].replace("", "nothing").value_counts(normalize=True)
        text = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
        console.print(f"{video}: {len(rows)} frames: {text}")
    for reject in [*found.rejects, *found.damaged]:
        console.print(reject.told)
    console.print(f"predictions: {folder / PREDICTIONS}")
    if listed:
        console.print(
            f"{len(found.rejects)} videos don't decode, {len(found.damaged)} in part: {listed}"
        )
    if found.table.empty:
        raise UserError(f"none of the {len(found.rejects)} videos decodes")
    return 0


def of_file(args: argparse.Namespace) -> tuple[Path, list[str], Path | None]:
    """The model's file, the videos, and where their predictions go if that is given.

    Raises:
        UserError: a file alone can't do what is asked.
    """
    path = Path(args.model).expanduser()
    given = [name for name in ("results", "search", "ensemble") if getattr(args, name) is not None]
    if given := [*given, *(["set"] if args.overrides else [])]:
        raise UserError(f"--model {path} is a file, which stands alone: leave out --{given[0]}")
    if not args.predict or not args.videos:
        raise UserError(
            f"--model {path} is a file, which predicts new videos: add --predict --videos PATH "
            "(for its figures and its own data give its model_id, and --search)"
        )
    return path, args.videos, args.out


def main() -> int:
    args = arguments().parse_args()
    # What only a prediction needs, such as PyTorch, is imported for one.
    from tuner.study.store.results import ResultsStore
    from tuner.study.summary import show_best

    if args.videos and not args.predict:
        raise UserError("--videos says what to predict: add --predict")
    if args.current_labels and (not args.predict or args.videos):
        raise UserError("--current-labels is for figures: give it with --predict, without --videos")
    if args.model is not None and not args.model.isdecimal():
        return predict_with(*of_file(args))
    store = ResultsStore.open(args.results or default_results_url(), args.search)
    store.given = places(args.overrides)
    ranking = store.ranking(1)
    if not ranking:
        raise UserError(f"search '{store.name}' has no trained model yet")
    config = store.config
    wanted = config.search.ensemble if args.ensemble is None else args.ensemble
    best = ranking[0] if args.model is None else store.record(int(args.model))
    if best.value is None:
        raise UserError(f"model {best.number} is {best.state}: {best.reason or 'no epoch'}")
    show_best(store, best)
    several = args.model is None and wanted != 1
    if several and not args.predict:
        which = "those that predict best together" if wanted == "auto" else f"the {wanted} best"
        console.print(f"\nensemble: --predict takes {which}")
    if not args.predict:
        return 0
    from tuner.analysis.ensemble import Ensemble
    from tuner.analysis.summary import show_ensemble, show_results
    from tuner.api import evaluate
    from tuner.kept import best_ensemble, with_weights

    if several:
        ensemble = best_ensemble(
            *(store, wanted),
            again=not args.videos,
            current_labels=args.current_labels,
            output=output,
        )
        show_ensemble(ensemble, store.objective.metric)
    else:
        ensemble = Ensemble.of(with_weights(store, [best]))
    if args.videos:
        return predict(config, ensemble, args.videos, args.out)
    result = evaluate(store, ensemble, current_labels=args.current_labels, output=output)
    show_results(result.figures, result.folder)
    if result.looked > 1:
        console.print(
            f"note: the test videos have been looked at {result.looked} times in this search; "
            "choosing among models by their test figures makes these too good"
        )
    return 0


if __name__ == "__main__":
    cli.run(main)
