// What a judge is asked, and what its answer means. The question is a text with {question}, {reference} and {answer} in it,
// General-Reasoner's (Ma et al. 2025) unless a file has another one; what is put into their places is never looked through for places.
//
// An answer is read behind its last </think>; thoughts that never end are no answer. Two patterns (PCRE2, in any case of letters) say what
// means yes and what means no, and of all the places where one of them matches, the one that ends last counts: judges come to their
// decision at the end. Of two that end together the longer one counts, so that "incorrect" is a no although "correct" is in it; if both
// are as long, the patterns contradict each other and nothing was said. Where neither matches there is no verdict: --judge-no '^' makes a
// no of everything that is not a yes.
#ifndef JUDGES_JUDGE_FORM_H
#define JUDGES_JUDGE_FORM_H

#include "base/base.h"

// Of General-Reasoner's question: "Final Decision: Yes" with whatever marks and brackets judges put around its parts. One that stands in
// quotes, in a line with other words, is talked about and not made; "Yes or No" is none; and a word is a whole one, no "Nothing".
// clang-format off
#define JUDGE_HEAD "final\\s+decision(?:\\\\[a-z]+\\s*\\{|[^a-z]){0,100}"
#define JUDGE_WORD(word) "(?<![\\p{L}\\p{N}])" word "(?![\\p{L}\\p{N}])"
#define JUDGE_QUOTED(open, inside, close) open inside "*?final\\s+decision" inside "*?\\b(?:yes|no)\\b" inside "*" close "(*SKIP)(*FAIL)|"
#define JUDGE_DECISION(word, contradiction)                                                                                      \
    "(?m)^[^\\w\\n]*" JUDGE_HEAD JUDGE_WORD(word) "[^\\w\\n]*$|"      /* alone in its line, in quotes or not */                  \
    JUDGE_QUOTED("(?<!\\w)([\"'`])(?=[\\w*_])", "(?:(?!\\1)[^\\n])", "\\1")                                                      \
    JUDGE_QUOTED("[“„]", "[^“”\\n]", "[“”]") JUDGE_QUOTED("‘", "[^’\\n]", "’") JUDGE_QUOTED("«", "[^»\\n]", "»")                 \
    JUDGE_HEAD JUDGE_WORD(word) "(?!" contradiction ")[\"'`”’»*_)}]*"
#define JUDGE_YES_PATTERN /* "yes, there is no difference" is one, too */                                                        \
    JUDGE_DECISION("yes", "[^a-z.!?\\n]*(?:(?:or|and|but)\\b[^a-z.!?\\n]*)*\\bno\\b|[^.!?\\n]*\\bno\\b(?![ ]+[a-z])")
#define JUDGE_NO_PATTERN JUDGE_DECISION("no", "[^.!?\\n]*\\byes\\b")
// clang-format on

typedef struct JudgeForm {
    Bytes text;           // of the question, with its places
    bool own;             // it is not General-Reasoner's
    void *yes, *no;       // pcre2_code
    void *match, *limits; // pcre2_match_data, pcre2_match_context
    uint64_t hash;        // of all of it
} JudgeForm;

// file: "" for General-Reasoner's question. yes, no: "" for its decisions; one alone is refused, since nobody would have said what means
// the other one.
bool judge_form_open(JudgeForm *form, const char *file, const char *yes, const char *no);
void judge_form_close(JudgeForm *form);

// Replaces *out.
bool judge_form_fill(const JudgeForm *form, Bytes *out, Text question, Text reference, Text answer);

double judge_form_score(const JudgeForm *form, Text said); // 1 yes, 0 no; NaN: neither

#endif
