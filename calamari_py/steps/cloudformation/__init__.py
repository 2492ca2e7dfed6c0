"""Step kind ``cloudformation``: a stack, through the CloudFormation API, as the step's role."""
