"""Is the data fit to learn from: checks of labels, copies, leaks, outliers and pictures, on arrays alone."""
