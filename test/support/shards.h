// Corrupt shards for tests: bytes are changed and checksums recomputed, so that the checks after the checksums are
// reached.
#ifndef TEST_SHARDS_H
#define TEST_SHARDS_H

#include "shards/shard_format.h"
#include <string.h>

// Makes the checksums and sizes of changed bytes right, as far as the sections lie in them.
static inline void shard_reseal(uint8_t *data, size_t size)
{
    ShardHeader header;
    if (size < sizeof header)
        return;
    memcpy(&header, data, sizeof header);
    header.file_size = size;
    for (int i = 0; i < SECTIONS; i++) {
        ShardSection *s = &header.sections[i];
        if (s->offset <= size && s->size <= size - s->offset)
            s->hash = hash_bytes(data + s->offset, (size_t)s->size);
    }
    header.hash = shard_header_hash(&header);
    memcpy(data, &header, sizeof header);
}

#endif
