// WireCodec: exchange frames, compression, and the codec of plans.
