// TPCHStorage: the TPC-H data set, generated while it is read.
