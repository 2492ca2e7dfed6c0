"""CloudFormation as it is asked: calls, and answers in our own values."""
