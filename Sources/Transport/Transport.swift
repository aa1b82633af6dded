// Transport: the control and exchange transport interfaces.
