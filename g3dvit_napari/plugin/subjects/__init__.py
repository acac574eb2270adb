"""Subject after subject: a list of volumes with predictions, figures and ratings."""
