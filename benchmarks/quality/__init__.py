"""Whether what a search chooses is good on videos that it has not seen, beside the simplest model."""
