"""``python -m tuner.best``: the best model of a search, and its predictions."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.table import Table

from data.console import console, output
from tuner import cli
from tuner.config.load import Config, default_results_url
from tuner.config.messages import UserError

EXAMPLES = """
python -m tuner.best
python -m tuner.best --predict
python -m tuner.best --predict --ensemble 3
python -m tuner.best --predict --videos new_videos/ another.mp4
python -m tuner.best --results sqlite:///runs/results.db --search seals --model 7 --predict
python -m tuner.best --model copies/model.pt --predict --videos new_videos/
"""


def arguments() -> argparse.ArgumentParser:
    parser = cli.parser("best", "Show a search's best model, evaluate it, predict.", EXAMPLES)
    parser.add_argument(
        "--results",
        metavar="URL",
        help="the results store (default: the SQLite file in runs/)",
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
        type=int,
        metavar="K",
        help="average the probabilities of the K best models (default: search.ensemble of the YAML)",
    )
    parser.add_argument(
        "--predict",
        action="store_true",
        help="evaluate the model on its data, test included, and write its predictions and files",
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
    return parser


def show(store, chosen) -> None:
    """Print the chosen model and the ten best."""
    from models.rules import Row
    from tuner.config.parameters import ROWS
    from tuner.study.space.describe import describe

    counts = ", ".join(f"{count} {state}" for state, count in store.counts().items() if count)
    metric = store.config.search.metric
    console.print(f"search '{store.name}': {counts}")
    console.print(f"\nmodel {chosen.number} ({chosen.state}): {metric} {chosen.value:.4f}")
    space = store.config.space
    for name, value in chosen.params.items():
        row = ROWS.get(name, Row())  # an earlier version may have had others
        if (name in space or value != row.default) and not row.unused_after(chosen.params):
            console.print(
                f"  {name}: {value:.4g}" if isinstance(value, float) else f"  {name}: {value}"
            )
    console.print("  and the defaults of all others (params.json has them after --predict)")
    results = chosen.results
    if results:
        best = ", ".join(f"{k} {v:.4f}" for k, v in results["best"].items())
        console.print(
            f"validation, epoch {results['best_epoch']} of {results['epochs']}: {best}\n"
            f"{results['model_param_count']:,} parameters trained in {results['seconds']:.0f} s"
        )
    table = Table("", "model", metric, "epochs", "state", "parameters", box=None, pad_edge=False)
    for place, record in enumerate(store.ranking()[:10], 1):
        epochs = str(record.results.get("epochs", ""))
        cells = [str(place), str(record.number), f"{record.value:.4f}", epochs, record.state]
        table.add_row(*cells, describe(record.params))
    console.print("\nthe ten best:")
    console.print(table)


def evaluate(store, config: Config, members: list, folder: Path) -> None:
    """Evaluate on the data of the search, and say how well they do."""
    from tuner.analysis.evaluation import evaluate as run_evaluation
    from tuner.analysis.summary import show_results
    from tuner.preparation.dataset import prepare
    from tuner.study.space.space import resolve

    networks = [resolve(member.params)[0] for member in members]
    dataset = prepare(config.data, networks, config.folder, output)
    results = run_evaluation(members, folder, dataset, config.data, output=output)
    numbers = ", ".join(str(member.model_id) for member in members)
    store.set_note(f"results of model {numbers}", results)
    for changed in {folder, *(member.folder for member in members)}:
        config.storage_folder.keep(changed)
    show_results(results, folder)
    looked = store.notes("results of model ")
    if len(looked) > 1:
        console.print(
            f"note: the test videos have been looked at {len(looked)} times in this search; choosing "
            "among models by their test figures makes these too good"
        )


def predict(config: Config, members: list, paths: list[str], out: Path) -> int:
    """Predict videos that nobody labelled, and say what they show."""
    from tuner.analysis.new_videos import predict_new

    loaded = [member.load() for member in members]
    return report(predict_new(loaded, paths, config.data, output), out)


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
        shares = rows["prediction"].value_counts(normalize=True)
        text = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
        console.print(f"{video}: {len(rows)} frames: {text}")
    for reject in found.rejects:
        console.print(f"left out: {reject.video}: {reject.reason}")
    console.print(f"predictions: {folder / PREDICTIONS}")
    if listed:
        console.print(f"{len(found.rejects)} videos don't decode: {listed}")
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
    if given:
        raise UserError(f"--model {path} is a file, which stands alone: leave out --{given[0]}")
    if not args.predict or not args.videos:
        raise UserError(
            f"--model {path} is a file, which predicts new videos: add --predict --videos PATH "
            "(for its figures and its own data give its model_id, and --search)"
        )
    return path, args.videos, args.out


def main() -> int:
    args = arguments().parse_args()
    from tuner.api import trained
    from tuner.study.store.results import ResultsStore

    if args.videos and not args.predict:
        raise UserError("--videos says what to predict: add --predict")
    if args.model is not None and not args.model.isdecimal():
        return predict_with(*of_file(args))
    store = ResultsStore.open(args.results or default_results_url(), args.search)
    ranking = store.ranking()
    if not ranking:
        raise UserError(f"search '{store.name}' has no trained model yet")
    config = store.config
    if args.model is None:
        wanted = config.search.ensemble if args.ensemble is None else args.ensemble
        chosen = ranking[: max(1, wanted)]
    else:
        chosen = [store.record(int(args.model))]
    best = chosen[0]
    if best.value is None:
        raise UserError(f"model {best.number} is {best.state}: {best.reason or 'no epoch'}")
    show(store, best)
    if len(chosen) > 1:
        numbers = ", ".join(str(record.number) for record in chosen)
        console.print(f"\nensemble: the probabilities of models {numbers} are averaged")
    if not args.predict:
        return 0
    members = [trained(config, record) for record in chosen]
    for member in members:
        member.fetch()
        try:
            member.load()
        except FileNotFoundError as error:
            raise UserError(
                f"{error}: the search keeps the weights of its {config.search.keep_models} best "
                "models (search.keep_models); is this the machine that it ran on?"
            ) from error
    folder = members[0].folder if len(members) == 1 else config.folder / "ensemble"
    if args.videos:
        return predict(config, members, args.videos, args.out or folder / "new_videos")
    evaluate(store, config, members, folder)
    return 0


if __name__ == "__main__":
    cli.run(main)
