"""From records to tables: nothing here asks a network."""
