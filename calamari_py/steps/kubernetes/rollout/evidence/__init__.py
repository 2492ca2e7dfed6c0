"""Why a rollout failed: what people would look up by hand, in the order they would."""
