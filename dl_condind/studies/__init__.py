"""Studies as plain data, and the engines that make their runs."""
