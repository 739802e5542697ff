// The process that is the parent of the graders: see grader.h.
#ifndef JUDGES_GRADER_POOL_H
#define JUDGES_GRADER_POOL_H

#include "judges/grader.h"
#include <sys/types.h>

// The kinds of frames.
typedef enum GraderFrameKind {
    GRADER_QUESTION, // to the pool: a question's line
    GRADER_ANSWER,   // from the pool: a line with its question's name
    GRADER_FAILED,   // no answer, and why
    GRADER_OTHER,    // printed in place of an answer, or without a question
    GRADER_ENDED     // the program ended before its first question, and how
} GraderFrameKind;

// The head of a frame on the socket, in either direction; `size` bytes follow.
typedef struct GraderFrame {
    uint64_t tag; // of the question; GRADER_NOBODY: of none
    uint32_t size, kind;
} GraderFrame;

#define GRADER_NOBODY UINT64_MAX
#define GRADER_BEGINNING "{\"question\":\"" // of every question's line; its name follows
enum {
    GRADER_NAME = 32,
    GRADER_LINE_MOST = 1 << 20,
    GRADER_SHOWN = 200
}; // bytes: of a name; of an answer; shown in errors

// Never returns: exits when the other end is closed or its parent is gone, and ends all children first.
void grader_pool_run(int socket, const GraderOptions *options, bool sandboxed) __attribute__((noreturn));

// Whether the command is one program with its arguments, so that a shell can exec it: it must not keep standard output
// open.
bool grader_command_is_program(const char *command);

// The command and a hash of each script that it names, so that an edited script counts as another command: a word that
// names an executable file or one with a script's ending. (Other files may be logs.)
bool grader_command_name(Bytes *out, const char *command);

// In the pool's process. Ends a child with all its descendants (without waiting for them); ends all and waits.
void grader_family_kill(pid_t child);
void grader_family_end(void);

// Writes to a descriptor what it accepts, and reads from one. False: the other end is gone.
bool grader_flush(int descriptor, Bytes *out);
bool grader_fill(int descriptor, Bytes *in);
void grader_drop(Bytes *b, size_t size); // from the front

#endif
