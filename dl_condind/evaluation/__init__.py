"""From a representation to the value of a metric."""
