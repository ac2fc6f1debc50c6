"""What runs beside the meters: the sampler, the clocks, the claims of others."""
