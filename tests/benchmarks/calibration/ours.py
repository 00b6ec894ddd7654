"""The workflow's calibrated tests: `fdr.null` residual, labels and external; abundance."""

__all__ = ["ABUNDANCE", "EXPRESSION"]

# To be filled as the tests are built, each with its name in the configuration:
# residual, labels, external.
EXPRESSION = {}
# The calibrated abundance: calibrated.
ABUNDANCE = {}
