"""The programs: flags -> one call of the package. `bin/` and the installed commands run them."""
