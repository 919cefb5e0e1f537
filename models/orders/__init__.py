"""Orders: what people and the control plane have ordered, as the stream hears of it."""
