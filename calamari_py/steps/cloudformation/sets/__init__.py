"""Step kind ``stack_set``: one template in many accounts and regions."""
