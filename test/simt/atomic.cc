// Atomic operations on integers. Only one thread runs at a time, so they are plain ones; the race check must know them
// as atomic.
#include "runtime.h"

using namespace simt;

template <typename T> static T combine(SimtAtomic kind, T old, T value)
{
    switch (kind) {
    case SIMT_ADD:
        return (T)((unsigned long long)old + (unsigned long long)value); // wraps around, signed ones too
    case SIMT_MIN:
        return min(old, value);
    case SIMT_MAX:
        return max(old, value);
    case SIMT_AND:
        return old & value;
    case SIMT_OR:
        return old | value;
    case SIMT_XOR:
        return old ^ value;
    default:
        return value;
    }
}

#define ATOMICS_OF(type)                                                                                               \
    type simt_atomic(SimtAtomic kind, type *p, type value)                                                             \
    {                                                                                                                  \
        race_access(current, p, sizeof *p, Access::ATOMIC, __builtin_return_address(0));                               \
        type old = *p;                                                                                                 \
        *p = combine(kind, old, value);                                                                                \
        return old;                                                                                                    \
    }                                                                                                                  \
    type simt_compare_exchange(type *p, type expected, type value)                                                     \
    {                                                                                                                  \
        race_access(current, p, sizeof *p, Access::ATOMIC, __builtin_return_address(0));                               \
        type old = *p;                                                                                                 \
        *p = old == expected ? value : old;                                                                            \
        return old;                                                                                                    \
    }

ATOMICS_OF(int)
ATOMICS_OF(unsigned)
ATOMICS_OF(unsigned long long)
