"""What is given to others has no secrets, and keeps all else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuner.diagnosis.masking import known_secrets, masked_values, masker, secret_name, secrets_in


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("AWS_SECRET_ACCESS_KEY", True),
        ("AWS_ACCESS_KEY_ID", True),
        ("PGPASSWORD", True),
        ("RAY_AUTH_TOKEN", True),
        ("HF_TOKEN", True),
        ("WANDB_API_KEY", True),
        ("DB_PASS", True),
        ("password", True),
        ("TOKENIZERS_PARALLELISM", False),
        ("RAY_AUTH_MODE", False),
        ("PWD", False),
        ("PATH", False),
        ("keep_models", False),
        ("passing", False),
    ],
)
def test_names_of_secrets(name, secret):
    assert secret_name(name) is secret


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("postgresql://ana:ge@heim/1@db.org/seals", "postgresql://ana:***@db.org/seals"),
        ("key AKIAIOSFODNN7EXAMPLE is used", "key *** is used"),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG", "aws_secret_access_key = ***"),
        ("?password=geheim&sslmode=require", "?password=***&sslmode=require"),
        ("Authorization: Bearer abcdef0123456789", "Authorization: Bearer ***"),
        ("token: 'geheim'", "token: ***"),
        ("hf_" + "a" * 30, "***"),
        ("0f" * 32, "***"),
        (
            "valid_f1 0.974 after 12 epochs of 7 videos",
            "valid_f1 0.974 after 12 epochs of 7 videos",
        ),
        ("pretrained_model_name: efficientnet_lite0", "pretrained_model_name: efficientnet_lite0"),
        ("/nfs/videos/dive_07.mp4: 1,200 frames", "/nfs/videos/dive_07.mp4: 1,200 frames"),
    ],
)
def test_what_looks_like_a_secret(text, masked):
    assert masker([])(text) == masked


def test_known_secrets_are_masked_in_any_spelling(tmp_path: Path):
    (tmp_path / "token").write_text("ab12cd34\n")
    (tmp_path / "credentials").write_text(
        "[default]\nregion = eu-north-1\naws_secret_access_key = xY/z+1\n"
    )
    (tmp_path / "pgpass").write_text("db.org:5432:*:ana:l@chs\n")
    secrets = known_secrets(
        {"HF_TOKEN": "tok&en", "MY_KEY": "true", "TUNER_RESULTS": "postgresql://a:inurl@h/d"},
        [tmp_path / name for name in ("token", "credentials", "pgpass", "none")],
    )
    assert secrets == {"ab12cd34", "xY/z+1", "l@chs", "tok&en", "inurl"}
    text = "ab12cd34 xY/z+1 xY%2Fz%2B1 l@chs l%40chs tok%26en eu-north-1 db.org"
    assert masker(secrets)(text) == "*** *** *** *** *** *** eu-north-1 db.org"


def test_home_and_name_of_the_user_are_masked(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ana")
    monkeypatch.setattr("getpass.getuser", lambda: "ana")
    mask = masker([])
    assert mask("/home/ana/videos and /home/ana") == "~/videos and ~"
    assert mask("/home/anabel/x, /nfs/ana/x, ana@host, analysis, banana") == (
        "/home/anabel/x, /nfs/USER/x, USER@host, analysis, banana"
    )


def test_secrets_of_a_configuration():
    tree = {
        "results": "postgresql://ana:l%40chs@db/seals",
        "search": {
            "sampler_options": {"api_key": "abc123", "n": 3, "urls": ["mysql://b:zweites@h/d"]}
        },
    }
    assert secrets_in(tree) == {"l@chs", "abc123", "zweites"}
    assert masked_values(tree)["search"]["sampler_options"]["api_key"] == "***"
    assert masked_values(tree)["search"]["sampler_options"]["n"] == 3
