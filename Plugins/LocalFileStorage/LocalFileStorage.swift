// LocalFileStorage: Parquet and CSV files of a directory as tables.
