"""The form's groups that make up a question, and its foot."""
