// Imports the system library z.
#include <zlib.h>
