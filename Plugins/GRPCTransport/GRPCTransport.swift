// GRPCTransport: control and exchange over gRPC.
