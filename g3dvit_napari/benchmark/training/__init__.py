"""Networks trained on tasks with a known truth: recipes, the loop, and where the results lie."""
