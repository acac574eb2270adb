"""Building blocks of the forms; they know nothing of brains."""
