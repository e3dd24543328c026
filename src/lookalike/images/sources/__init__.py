"""Where pictures come from: folders, object stores, Parquet files and tar archives, all listed and read alike."""
