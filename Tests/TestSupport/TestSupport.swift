// TestSupport: what tests of every layer share. It imports no target of ours, so any test may use it.
//
//   Repository       the files of this repository
//   SeededGenerator  random numbers that a failing test can be given again
