// See rubric_answer.h.
#include "difficulty/rubric_answer.h"

enum { ANSWER_SHOWN = 200 }; // bytes of an answer's end, in rows and errors

bool rubric_answer_keep(Pending *row, Text said, bool cut)
{
    size_t from = said.size > ANSWER_SHOWN ? said.size - ANSWER_SHOWN : 0;
    while (from < said.size && (said.data[from] & 0xc0) == 0x80)
        from++; // not in the middle of a character
    return bytes_append(&row->useless, said.data + from, said.size - from) &&
           bytes_text(&row->useless, cut ? " (cut off)" : "");
}

bool rubric_answer_vote(Pending *row, Text said, bool cut)
{
    int level = cut ? 0 : difficulty_in_text(said.data, said.size);
    return ++row->votes[level] > 1 || level > 0 || rubric_answer_keep(row, said, cut);
}

bool rubric_answer_digits(Difficulty *d, const RowAnswer *answer)
{
    double logprob[DIFFICULTIES];
    if (answer->generated == NULL)
        return difficulty_of_top(d, answer->top, answer->top_count);
    for (int i = 0; i < DIFFICULTIES; i++)
        logprob[i] = (double)answer->generated->probe[i];
    *d = difficulty_of_logprobs(logprob);
    return true;
}
