"""Networks asked many times: baselines, hidden parts, games and noise."""
