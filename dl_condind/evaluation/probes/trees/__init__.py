"""scikit-learn's gradient boosted trees, fitted several times as fast; see README.md."""
