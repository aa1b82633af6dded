// FileFormats: Parquet and CSV readers, used by every storage plug-in that holds files.
