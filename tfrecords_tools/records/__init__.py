"""Records on disk: TFRecord files, their schema, data set directories read and written."""
