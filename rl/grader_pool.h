// The process that has the graders as its children, seen from inside: see grader.h.
#ifndef RL_GRADER_POOL_H
#define RL_GRADER_POOL_H

#include "rl/grader.h"

#ifdef __cplusplus
extern "C" {
#endif

// What goes over the socket between the two, either way: this, and then so many bytes.
typedef struct GraderFrame {
    uint64_t tag;
    uint32_t size, failed;
} GraderFrame;

enum { GRADER_LINE_MOST = 16 << 20 };
#define GRADER_TAG_START UINT64_MAX // from the pool: the command ended before it was asked anything, and the bytes say how

// Never returns: exits when the other end is closed, and all children with it.
void grader_pool_run(int socket, const GraderOptions *options, bool sandboxed) __attribute__((noreturn));

// Bytes on their way into a descriptor that takes what it can, and out of one. False: the other end is gone.
bool grader_flush(int descriptor, Bytes *out);
bool grader_fill(int descriptor, Bytes *in);
void grader_drop(Bytes *b, size_t size); // from the front

#ifdef __cplusplus
}
#endif
#endif
