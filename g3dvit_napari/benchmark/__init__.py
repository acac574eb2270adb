"""Known truth: data that is made, networks that learn it, and every method judged on them."""
