// The question to a judge, and how its reply is read. The question is a text with {question}, {reference} and {answer}
// in it, General-Reasoner's (Ma et al. 2025) unless the program or a file has another one; texts put into these places
// are not searched for places.
//
// A reply is read after its last </think>; if a thought never ends, there is no reply. Two patterns (PCRE2, ignoring
// case) define yes and no, and of all the places where one of them matches, the one that ends last counts: judges
// decide at the end. Of two that end together the longer one counts, so that "incorrect" is a no although it contains
// "correct"; if both are equally long, the patterns contradict each other and there is no verdict. If neither matches
// there is none: --judge-no '^' turns everything that is not a yes into a no.
#ifndef JUDGES_JUDGE_FORM_H
#define JUDGES_JUDGE_FORM_H

#include "base/base.h"

// For General-Reasoner's question: "Final Decision: Yes" with the marks and brackets that judges put around its parts.
// A quoted decision in a line with other words does not count; "Yes or No" is none; and words are whole, not "Nothing".
// clang-format off
#define JUDGE_HEAD "final\\s+decision(?:\\\\[a-z]+\\s*\\{|[^a-z]){0,100}"
#define JUDGE_WORD(word) "(?<![\\p{L}\\p{N}])" word "(?![\\p{L}\\p{N}])"
#define JUDGE_QUOTED(open, inside, close) \
    open inside "*?final\\s+decision" inside "*?\\b(?:yes|no)\\b" inside "*" close "(*SKIP)(*FAIL)|"
#define JUDGE_DECISION(word, contradiction) \
    "(?m)^[^\\w\\n]*" JUDGE_HEAD JUDGE_WORD(word) "[^\\w\\n]*$|"      /* alone in its line, in quotes or not */ \
    JUDGE_QUOTED("(?<!\\w)([\"'`])(?=[\\w*_])", "(?:(?!\\1)[^\\n])", "\\1") \
    JUDGE_QUOTED("[“„]", "[^“”\\n]", "[“”]") JUDGE_QUOTED("‘", "[^’\\n]", "’") JUDGE_QUOTED("«", "[^»\\n]", "»") \
    JUDGE_HEAD JUDGE_WORD(word) "(?!" contradiction ")[\"'`”’»*_)}]*"
#define JUDGE_YES_PATTERN /* "yes, there is no difference" is one, too */ \
    JUDGE_DECISION("yes", "[^a-z.!?\\n]*(?:(?:or|and|but)\\b[^a-z.!?\\n]*)*\\bno\\b|[^.!?\\n]*\\bno\\b(?![ ]+[a-z])")
#define JUDGE_NO_PATTERN JUDGE_DECISION("no", "[^.!?\\n]*\\byes\\b")
// clang-format on

typedef struct JudgeForm {
    Bytes text;           // the question with its places
    bool own;             // not General-Reasoner's
    void *yes, *no;       // pcre2_code
    void *match, *limits; // pcre2_match_data, pcre2_match_context
    uint64_t hash;        // of all of it
} JudgeForm;

// file: "" for `text`, NULL for General-Reasoner's question. yes, no: "" for its decisions; one alone is refused, since
// the other's meaning would be undefined.
bool judge_form_open(JudgeForm *form, const char *text, const char *file, const char *yes, const char *no);
void judge_form_close(JudgeForm *form);

// Replaces *out.
bool judge_form_fill(const JudgeForm *form, Bytes *out, Text question, Text reference, Text answer);

double judge_form_score(const JudgeForm *form, Text said); // 1 yes, 0 no; NaN: neither

#endif
