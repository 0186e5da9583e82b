"""Move whole archives of battery-cycler tests into Ionworks Studio."""

__version__ = "0.1.0"
