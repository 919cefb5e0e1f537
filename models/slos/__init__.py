"""SLOs: objectives over SLIs, exact error budgets and burn rates."""
