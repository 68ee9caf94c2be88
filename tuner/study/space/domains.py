"""What may be done with a parameter's domain: narrowed, compared, listed."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from models.rules import Limit, Params
from tuner.config.parameters import Domain, number_kind


def only(domain: Domain, allowed: Callable[[Any], bool]) -> Domain:
    """`domain` without the values that aren't allowed; a range is shortened at its ends."""
    if domain.choices is not None:
        return Domain.model_construct(choices=[v for v in domain.choices if allowed(v)])
    assert domain.low is not None and domain.high is not None
    low, high, step = domain.low, domain.high, domain.step or 1
    while low <= high and not allowed(low):
        low += step
    while high >= low and not allowed(high):
        high -= step
    if low > high:
        return Domain.model_construct(choices=[])
    return domain.model_copy(update={"low": low, "high": high})


def keeping(limit: Limit, domain: Domain, params: Params) -> Domain:
    """`domain` without the values that break a limit."""
    return only(domain, lambda value: limit.allows(value, params))


# Most parameters are fixed: without the cache, making their domains took most of a sample's time.
@lru_cache(typed=True)
def fixed(value: Any) -> Domain:
    return Domain.model_construct(choices=[value])


def same(one: Domain, other: Domain) -> bool:
    return (one.choices, one.low, one.high) == (other.choices, other.low, other.high)


def ends(domain: Domain) -> list[Any]:
    """The choices of a domain, or the lowest and highest value of a range."""
    return domain.choices if domain.choices is not None else [domain.low, domain.high]


def values_of(name: str, domain: Domain) -> list[Any]:
    """Every value of a domain; of a continuous one, its ends."""
    if domain.choices is not None:
        return domain.choices
    assert domain.low is not None and domain.high is not None
    if number_kind(name) is int:
        return list(range(int(domain.low), int(domain.high) + 1, int(domain.step or 1)))
    if domain.step is None:
        return [domain.low, domain.high]
    count = int((domain.high - domain.low) / domain.step + 1e-9) + 1
    return [round(domain.low + i * domain.step, 12) for i in range(count)]
