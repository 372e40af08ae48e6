"""What only the report of VAEs has."""
