// Imports the system library brotlidec.
#include <brotli/decode.h>
