"""Spend: what runs cost while they run, by user, tenant, workflow and in all, against budgets of a day or a month."""
