"""What measures speed: one script a question, each printing ratios against its peer."""
