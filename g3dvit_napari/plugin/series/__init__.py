"""A 4-D series: many frames explained, shown where the time slider stands, plotted over time."""
