// What the sources of asynchronous products and copies share.
#ifndef SIMT_BULK_H
#define SIMT_BULK_H

#include <stddef.h>
#include <stdint.h>

namespace simt
{

bool overlaps(const void *a, size_t a_bytes, const void *b, size_t b_bytes);

// Where a byte of a tile lies in the swizzle of 128 bytes: bits 4 to 6 of its shared address are those of its place,
// exclusive-or its bits 7 to 9 (PTX ISA, 5.5.7). Dynamic shared memory begins at a multiple of 1,024.
inline char *swizzled(char *p)
{
    uintptr_t a = (uintptr_t)p;
    return (char *)(a ^ (a >> 7 & 7) << 4);
}

} // namespace simt

#endif
