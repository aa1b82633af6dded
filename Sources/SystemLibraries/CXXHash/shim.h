// Imports the system library xxhash.
#include <xxhash.h>
