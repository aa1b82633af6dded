// Imports the system library zstd.
#include <zstd.h>
