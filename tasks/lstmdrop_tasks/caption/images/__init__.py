"""From image files to the features that a captioning network reads."""
