"""What bench/suites is made of: engines, query texts, data generators and the comparison of results."""
