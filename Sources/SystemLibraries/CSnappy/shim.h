// Imports the system library snappy.
#include <snappy-c.h>
