// XXH3, whose values are the same on every machine and in every version since 0.8.
#include "base/base.h"
#include <xxhash.h>

uint64_t hash_bytes(const void *data, size_t size) { return XXH3_64bits(data, size); }

void hash_bytes_128(const void *data, size_t size, uint64_t hash[2])
{
    XXH128_hash_t h = XXH3_128bits(data, size);
    hash[0] = h.high64;
    hash[1] = h.low64;
}
