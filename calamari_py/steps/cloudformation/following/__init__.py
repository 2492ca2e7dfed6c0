"""Following what CloudFormation does to a stack, to its truth."""
