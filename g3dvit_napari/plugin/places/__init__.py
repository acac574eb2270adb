"""Where the relevance is, in tables and under the mouse."""
