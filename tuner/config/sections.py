"""The sections of a configuration that are no parameters of a trial: data, search, resources."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from data.labels.columns import NAMES
from tuner.config.classes import SAMPLERS, SCHEDULERS
from tuner.config.messages import Several, hint
from tuner.config.parameters import Section
from tuner.config.values import Gpus, Models, Seconds
from tuner.objective import METRICS, Objective

DROP = "drop"  # of data.background
_GPU_OF_A_HEAD = 0.25  # a head over stored features is small, and leaves most of a GPU idle
MOST_ON_A_GPU = 16  # trials


class SplitsConfig(Section):
    """The videos to validate and test on: by name, by a list, or drawn for a share of the frames."""

    by: str | None = None  # what is never parted; None: site, where the labels have that column
    valid: list[str] | float = 0.15  # names of videos, or of groups of them, or a share
    test: list[str] | float = 0.15
    seed: int = Field(default=0, ge=0, lt=2**32)
    file: str | None = None  # video,split: in place of all but `by`

    @field_validator("valid", "test")
    @classmethod
    def _share(cls, value: list[str] | float) -> list[str] | float:
        if isinstance(value, float) and not 0 <= value < 1:
            raise ValueError(f"is a share of the frames, from 0 to 1, not {value:g}")
        return value

    @model_validator(mode="after")
    def _some_to_learn_from(self) -> Self:
        shares = [share for share in (self.valid, self.test) if isinstance(share, float)]
        if sum(shares) >= 1:
            raise ValueError(
                f"valid and test are shares of the frames ({self.valid:g} and {self.test:g}), which "
                "leave none to learn from: give shares whose sum is below 1"
            )
        return self

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.file is not None and (self.valid, self.test) != (0.15, 0.15):
            raise ValueError(
                f"file '{self.file}' says which videos validate and test; leave out valid and test, "
                "or the file"
            )
        return self


class DataConfig(Section):
    videos: str = "sample"
    labels: str | None = None
    columns: dict[str, str | None] = Field(default_factory=dict)  # our names to those of `labels`
    frame_numbers: Literal["file", "sampled"] = "file"  # what frames the labels number
    unit: Literal["auto", "frame", "video"] = "auto"  # what a label is of; auto: by the label file
    sample_seed: int = Field(default=0, ge=0, lt=2**32)  # of videos that are drawn
    fps: float | None = Field(default=None, gt=0)
    # of a video, spread over it; None: all, or as many as whole-video models need
    max_frames: int | None = Field(default=None, ge=1)
    splits: SplitsConfig | None = None
    # the class of frames of labelled videos that no label names; drop: they have none
    background: str = Field(default=DROP, min_length=1)
    shortest_event: float = Field(default=0, ge=0)  # seconds; shorter ones are left out
    margin: float = Field(default=0, ge=0)  # seconds about a boundary that are not trained on
    frames: Literal["stored", "direct"] = "stored"
    damaged: Literal["use", "leave_out"] = "use"  # videos that decode in part, as far as they do
    cache_limit_gb: float | None = Field(default=100, gt=0)
    shared_cache: str | None = None  # a folder that all machines see, or s3://, for features

    @field_validator("columns")
    @classmethod
    def _known_columns(cls, value: dict[str, str | None]) -> dict[str, str | None]:
        if unknown := [
            f"data.columns.{name}: unknown{hint(name, NAMES)}"
            for name in value
            if name not in NAMES
        ]:
            raise Several(unknown)
        return value

    @model_validator(mode="after")
    def _labels_given(self) -> Self:
        if not self.drawn and self.labels is None:
            raise ValueError("data.labels is missing: the file that says what each video shows")
        if self.drawn and self.labels is not None:
            raise ValueError("data.videos is missing: the folder of the videos that are labelled")
        return self

    @property
    def background_class(self) -> str | None:
        """The class of unlabelled frames; None: they have none."""
        return None if self.background == DROP else self.background

    @property
    def drawn(self) -> bool:
        """Whether the project draws the videos and their labels itself."""
        return self.videos in ("sample", "sample-traps")

    @property
    def grouped_by(self) -> list[str]:
        """The column that the label file may have for `splits.by`, if it is one."""
        return [] if self.splits is None or self.splits.by is None else [self.splits.by]

    @property
    def limit_bytes(self) -> int | None:
        return None if self.cache_limit_gb is None else int(self.cache_limit_gb * 1e9)


class ValidationConfig(Section):
    """Folds: each validates what was trained on the others, so that each video validates once."""

    folds: int = Field(default=5, ge=2, le=20)
    by: str | None = None  # video; None: as data.splits.by
    refit: bool = True  # on all that validates: that model answers for new videos, not the folds'


class SearchConfig(Section):
    trials: int | None = Field(default=24, ge=1, le=1_000_000)
    probes: int = Field(default=24, ge=0)  # linear models, before the trials, at most
    sampler: str = "tpe"  # one of `SAMPLERS`, or module:Class
    sampler_options: dict[str, Any] = Field(default_factory=dict)
    startup_trials: int = Field(default=10, ge=1)
    scheduler: str = "asha"  # one of `SCHEDULERS`, or module:Class
    scheduler_options: dict[str, Any] = Field(default_factory=dict)
    grace_period: int = Field(default=3, ge=1)
    reduction_factor: float = Field(default=3, gt=1)
    metric: str = "valid_f1"  # one of `METRICS`
    seed: int = Field(default=0, ge=0, lt=2**32)
    time_budget: Seconds | None = Field(default=None, gt=0)
    retries: int = Field(default=1, ge=0)
    validation: ValidationConfig | None = None  # None: the valid split
    refit: bool = False  # train once more on train and valid: that model answers for new videos
    keep_models: int = Field(default=5, ge=1)
    ensemble: Models = 1  # how many predict together; auto: those that do so best on validation

    @field_validator("sampler")
    @classmethod
    def _sampler(cls, value: str) -> str:
        SAMPLERS.check(value)
        return value

    @field_validator("scheduler")
    @classmethod
    def _scheduler(cls, value: str) -> str:
        SCHEDULERS.check(value)
        return value

    @field_validator("metric")
    @classmethod
    def _metric(cls, value: str) -> str:
        if value not in METRICS:
            raise ValueError(f"unknown metric '{value}'{hint(value, METRICS)}")
        return value

    @model_validator(mode="after")
    def _one_refit(self) -> Self:
        if self.refit and self.validation is not None:
            raise ValueError(
                "refit: true is for a search that validates on the valid split; with validation, "
                "write validation.refit"
            )
        return self

    @model_validator(mode="after")
    def _ensemble_fits(self) -> Self:
        if self.ensemble != "auto" and self.ensemble > self.keep_models:
            raise ValueError(
                f"ensemble: {self.ensemble} models can't predict together if the search keeps only "
                f"{self.keep_models} (keep_models)"
            )
        return self

    @model_validator(mode="after")
    def _classes(self, info: ValidationInfo) -> Self:
        """Make a sampler and a scheduler of others once, if they are about to be used.

        A results store that names them can be read without them.
        """
        problems = []
        if self.scheduler_options and self.scheduler in SCHEDULERS.words:
            problems.append(
                f"search.scheduler_options: {self.scheduler} takes none; they are for a class that "
                f"scheduler: names, such as {SCHEDULERS.example}"
            )
        if info.context and info.context.get("imports"):
            if ":" in self.sampler or self.sampler_options:
                problems += _problem("search.sampler", self.make_sampler)
            if ":" in self.scheduler:
                problems += _problem("search.scheduler", self.make_scheduler)
        if problems:
            raise Several(problems)
        return self

    def make_sampler(self, *, trials_done: int = 0, **offers: Any) -> Any:
        """The Optuna sampler of a search.

        Args:
            trials_done: by earlier runs; it is added to the seed, or the same would be drawn again.
            offers: further arguments that a sampler may take.

        Raises:
            ValueError: it can't be made.
        """
        offers |= {
            "seed": self.seed + trials_done,
            "n_startup_trials": self.startup_trials,
        }
        return SAMPLERS.make(self.sampler, self.sampler_options, offers)

    def make_scheduler(self, **offers: Any) -> Any:
        """The scheduler of a search, as Ray Tune takes it.

        Args:
            offers: further arguments that a scheduler may take.

        Raises:
            ValueError: it can't be made.
        """
        mode = {"maximize": "max", "minimize": "min"}[Objective(self.metric).direction]
        # Trials are selected by their best epoch (or by all folds so far), so they are judged by it.
        offers |= {"metric": "best_value", "mode": mode, "time_attr": "epoch"}
        return SCHEDULERS.make(self.scheduler, self.scheduler_options, offers)


def _problem(key: str, make: Callable[[], Any]) -> list[str]:
    try:
        make()
    except ValueError as error:
        return [f"{key}: {error}"]
    return []


class ResourcesConfig(Section):
    """What one trial gets; how many run at once follows from it, unless `trials_at_once` sets it."""

    cpus: float = Field(default=1, gt=0)
    gpus: Gpus = "auto"
    trials_at_once: int | None = Field(default=None, ge=1)

    def gpus_of(self, *, head: bool, cluster: Mapping[str, float]) -> float:
        """How many GPUs, or which share of one, a trial gets where it is not measured.

        Args:
            head: whether it trains a head over stored features, and not a whole network.
        """
        if self.gpus != "auto":
            return self.gpus
        if not cluster.get("GPU"):
            return 0.0
        return _GPU_OF_A_HEAD if head else 1.0

    def workers(self, cluster: Mapping[str, float], gpus: float) -> int:
        """How many trials run at once on a cluster with these CPUs and GPUs, at least one.

        Args:
            gpus: of each trial.
        """
        if self.trials_at_once is not None:
            return self.trials_at_once
        count = int(cluster.get("CPU", 1) // self.cpus)
        if gpus:
            count = min(count, int(cluster.get("GPU", 0) / gpus))
        return max(1, count)
