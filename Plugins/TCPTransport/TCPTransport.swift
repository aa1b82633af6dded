// TCPTransport: exchange over plain TCP.
