"""What only the report of InfoGANs has."""
