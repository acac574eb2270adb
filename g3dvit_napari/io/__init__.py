"""Files: NIfTI volumes, checkpoints, samples."""
