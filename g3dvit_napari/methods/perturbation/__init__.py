"""What happens to the explained number when parts are hidden."""
