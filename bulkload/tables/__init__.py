"""Tables between libraries: Arrow, pandas, Parquet and the frames of the rules."""
