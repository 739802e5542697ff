// The process that has the graders as its children, seen from inside: see grader.h.
#ifndef JUDGES_GRADER_POOL_H
#define JUDGES_GRADER_POOL_H

#include "judges/grader.h"
#include <sys/types.h>

// What a frame's bytes are.
typedef enum GraderFrameKind {
    GRADER_QUESTION, // to the pool: a question's line
    GRADER_ANSWER,   // from the pool: a line with its question's name
    GRADER_FAILED,   // there is no answer; why
    GRADER_OTHER,    // there is none, or none was wanted: what was printed in its place
    GRADER_ENDED     // the program ended before it was asked anything; how
} GraderFrameKind;

// What goes over the socket between the two, either way: this, and then so many bytes.
typedef struct GraderFrame {
    uint64_t tag; // of the question; GRADER_NOBODY: of none
    uint32_t size, kind;
} GraderFrame;

#define GRADER_NOBODY UINT64_MAX
#define GRADER_BEGINNING "{\"question\":\""                                // of every question's line; its name follows
enum { GRADER_NAME = 32, GRADER_LINE_MOST = 1 << 20, GRADER_SHOWN = 200 }; // bytes: of a name; of an answer; of what errors show

// Never returns: exits when the other end is closed, or its parent gone, and all children with it.
void grader_pool_run(int socket, const GraderOptions *options, bool sandboxed) __attribute__((noreturn));

// The command is one program with its arguments, so that a shell has nothing to do but to become it: it must not keep standard output open.
bool grader_command_is_program(const char *command);

// The command and, so that one that was edited is another, a hash of each script that it names: a file of a word of it that may be
// executed or has a script's ending. (Others may be logs.)
bool grader_command_name(Bytes *out, const char *command);

// In the pool's process. Ends a child with all that descend from it (who is ended is not waited for); ends all and waits.
void grader_family_kill(pid_t child);
void grader_family_end(void);

// Bytes on their way into a descriptor that takes what it can, and out of one. False: the other end is gone.
bool grader_flush(int descriptor, Bytes *out);
bool grader_fill(int descriptor, Bytes *in);
void grader_drop(Bytes *b, size_t size); // from the front

#endif
