// LZ4 block and frame formats.
#include <lz4.h>
#include <lz4frame.h>
