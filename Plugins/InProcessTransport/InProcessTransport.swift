// InProcessTransport: control and exchange between nodes of one process.
