// --verify: whether a row's own response answers its own reference, by the rules of rewards (answers/verify.h), and
// which responses are then trained on. For an answer in words, rules can only find that it is the same; no judge is
// asked here.
#ifndef ROWS_VERIFIED_H
#define ROWS_VERIFIED_H

#include "rows/records.h"

#define VERIFY_CHOICES "none|drop-wrong|best-of-k|all"
typedef enum Verify {
    VERIFY_NOT,
    VERIFY_DROP_WRONG, // train on right responses
    VERIFY_BEST_OF_K,  // on the first right one of a prompt
    VERIFY_ALL         // on all of them: only counted
} Verify;

typedef enum Verified {
    VERIFIED_NOT, // not checked, or there is no response
    VERIFIED_RIGHT,
    VERIFIED_WRONG,      // also one that gives no answer
    VERIFIED_UNKNOWN,    // no rule can decide
    VERIFIED_UNREADABLE, // the row has no reference, or one that no rule can compare with
    VERIFIED_KINDS
} Verified;
extern const char *const VERIFIED_NAMES[VERIFIED_KINDS]; // "", "right", "wrong", "unknown", "unreadable"

// row: the record as JSON, whose options make it multiple choice; size 0: none.
Verified record_verify(const Record *record, Text row);

#endif
