"""What may be concluded from the records: intervals, ranks, tests."""
