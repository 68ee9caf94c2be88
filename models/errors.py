"""What this package raises beyond ValueError."""


class WeightsError(ValueError):
    """The weights of a backbone can't be had, or don't fit it. The message says what to do."""
