"""Texts as they may be shown to others: no secrets, and no names of users."""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy.engine import make_url

MASK = "***"
# Names of settings and variables whose values are secrets.
_SECRET = re.compile(
    r"secret|token(?!iz)|passw|passphrase|pwd(?!$)|credential|api_?key|access_?key|private_?key|"
    r"signature|(^|_)key$|(^|_)pass$|\w_pwd$",
    re.IGNORECASE,
)
_SHORTEST = 4  # letters; shorter ones are in many words
_NO_SECRETS = re.compile(
    r"true|false|none|null|\d{1,6}|[/~].*", re.IGNORECASE
)  # settings, and files
_PATTERNS = (
    (re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"), MASK),
    (re.compile(r"\b(?:hf|ghp|gho|github_pat|glpat|sk|xox[abp])[-_][A-Za-z0-9_-]{16,}"), MASK),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]+)?"), MASK),  # JSON web tokens
    (re.compile(r"\b[0-9a-fA-F]{40,}\b"), MASK),
    (re.compile(r"(?<=://)([^\s:/@]*):\S+(?=@)"), rf"\1:{MASK}"),  # user:password@host
    (re.compile(r"-----BEGIN [^-]*PRIVATE KEY-----.*?(-----END [^-]*-----|\Z)", re.DOTALL), MASK),
    (re.compile(r"((?:Bearer|Basic)\s+)[\w.~+/=-]{8,}"), rf"\1{MASK}"),
    (
        re.compile(
            r"(?i)\b([\w.-]*(?:password|passwd|pwd|secret|token|api_?key|access_?key|credential|"
            r"signature)[\w.-]*\s*[=:]\s*)['\"]?[^\s'\",;&]+['\"]?"
        ),
        rf"\1{MASK}",
    ),
)


def secret_name(name: str) -> bool:
    """Whether the value of a setting or variable of this name is a secret."""
    return bool(_SECRET.search(name))


def known_secrets(environment: Mapping[str, str], files: Iterable[Path]) -> set[str]:
    """Secrets that this process could come upon.

    Args:
        files: that hold a token, or keys and passwords.
    """
    found = {value for name, value in environment.items() if secret_name(name)}
    for value in environment.values():
        found |= passwords(value)
    for file in files:
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        for line in text.splitlines():
            key, equals, value = line.partition("=")  # as in ~/.aws/credentials
            if not equals and not line.startswith("["):
                found.add(line.rpartition(":")[2].strip())  # ~/.pgpass, or a token
            elif secret_name(key.strip()):
                found.add(value.strip())
    return {each for each in found if len(each) >= _SHORTEST and not _NO_SECRETS.fullmatch(each)}


def passwords(url: str) -> set[str]:
    """The passwords in what may be a database's URL."""
    try:
        parsed = make_url(url)
        asked = [value for key, value in parsed.query.items() if secret_name(key)]
        there = [str(each) for each in (parsed.password, *asked) if each]
    except Exception:  # not a URL; SQLAlchemy raises an error for each reason
        return set()
    return set(there)


def masker(secrets: Iterable[str]) -> Callable[[str], str]:
    """A function that takes the secrets, the home folder and the user's name out of a text."""
    spelt = {form for each in secrets for form in (each, quote(each, safe=""), repr(each)[1:-1])}
    words = sorted(spelt, key=len, reverse=True)  # one may be a part of another
    secret = re.compile("|".join(map(re.escape, words))) if words else None
    homes = {str(Path.home()), os.path.realpath(Path.home())} - {"/"}
    home = re.compile(
        "(?:" + "|".join(map(re.escape, sorted(homes, reverse=True))) + r")(?![\w.-])"
    )
    user = re.compile(rf"(?<![^\W_]){re.escape(_user())}(?![^\W_])") if _user() else None

    def masked(text: str) -> str:
        text = secret.sub(MASK, text) if secret else text
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
        text = home.sub("~", text) if homes else text
        return user.sub("USER", text) if user else text

    return masked


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        return ""


def secrets_in(tree: Any) -> set[str]:
    """The secrets in a configuration: passwords in URLs, and values of keys that are called so."""
    if isinstance(tree, dict):
        named = {
            str(v) for k, v in tree.items() if secret_name(str(k)) and isinstance(v, str | int)
        }
        return named.union(*map(secrets_in, tree.values()))
    if isinstance(tree, list):
        return set().union(*map(secrets_in, tree))
    return passwords(tree) if isinstance(tree, str) else set()


def masked_values(tree: Any) -> Any:
    """A configuration as a tree, with the values of its secret keys masked."""
    if isinstance(tree, dict):
        return {
            key: MASK
            if secret_name(str(key)) and isinstance(value, str | int)
            else masked_values(value)
            for key, value in tree.items()
        }
    return [masked_values(each) for each in tree] if isinstance(tree, list) else tree
