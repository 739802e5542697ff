// Paid-for answers, kept in a JSONL file: one line each, complete in the file before the answer is returned, so that
// after kill -9 nothing is asked twice. The file is appended to and never rewritten; one process at a time has it open.
// Memory holds only places in the file, not texts.
//
//     {"key": "9f86d081884c7d65...", "hash": "4fc82b26aecb47d2", "choices": [{"message": {"content": "..."},
//     "finish_reason": "stop"}]}
//
// hash covers the key and the rest of the line: an answer that was changed is not replayed as if it were genuine.
#ifndef SERVER_ANSWER_FILE_H
#define SERVER_ANSWER_FILE_H

#include "server/completion.h"
#include "system/line_file.h"

typedef struct PagedLine {
    uint64_t key[2];
    uint64_t offset;
    size_t size; // without its newline; 0: no line
} PagedLine;

typedef struct AnswerFile {
    LineFile file;
    uint64_t opened;  // its end when it was opened
    PagedLine *lines; // (capacity) a hash table, at most half full
    size_t count, capacity;
} AnswerFile;

// Creates the file if absent. Cuts off an incomplete last line, as left by a kill in the middle of a write or a power
// cut (zeros); fails with file and number at any other line that is not ours, and when another process has the file
// open. Of two lines with the same key the first one counts.
bool answer_file_open(AnswerFile *cache, const char *path);
bool answer_file_has(const AnswerFile *cache, const uint64_t key[2]);
bool answer_file_had(const AnswerFile *cache, const uint64_t key[2]);                  // already when it was opened
bool answer_file_read(const AnswerFile *cache, const uint64_t key[2], Answer *answer); // free it with answer_free

// Appends, in one write. After a failure (a full disk) the file is unchanged.
bool answer_file_add(AnswerFile *cache, const uint64_t key[2], const Answer *answer);
void answer_file_close(AnswerFile *cache); // does nothing if {0} or closed

// Every answer of a file that another process may have open, which stays as it is; an incomplete last line is left out.
typedef bool AnswerTaking(void *context, const uint64_t key[2], const Answer *answer);
bool answers_read(const char *path, AnswerTaking *take, void *context);

#endif
