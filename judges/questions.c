// The texts of a question: the problem as a person would read it, for a judge, and the whole row, for a grader.
#include "judges/questions.h"
#include "base/text.h"
#include "json/json_source.h"
#include "rows/records.h"
#include <string.h>

// ---- questions to a judge

// The turns of a row, without the system turn.
static bool append_turns(Bytes *out, const Record *r)
{
    for (size_t i = 0; i < record_prompt(r); i++)
        if (r->messages[i].role != ROLE_SYSTEM)
            TRY(bytes_text(out, out->size > 0 ? "\n\n" : "") &&
                bytes_append(out, r->messages[i].content.data, r->messages[i].content.size));
    return true;
}

// The text between the marks of a rendered prompt's last user turn; without these marks, all of it.
static Text last_turn(const Bytes *rendered)
{
    static const char opens[] = "<|im_start|>user\n", closes[] = "<|im_end|>";
    Text all = {rendered->data, rendered->size};
    const char *begin = text_last(all, opens);
    if (begin == NULL)
        return all;
    all = text_between(begin + strlen(opens), rendered->data + rendered->size);
    const char *end = memmem(all.data, all.size, closes, strlen(closes));
    return end == NULL ? all : text_between(all.data, end);
}

static bool decode_turn(Bytes *out, const ShardEntry *prompt, const Tokenizer *tokenizer)
{
    Bytes rendered = {0};
    bool ok = decode(tokenizer, &rendered, prompt->ids, prompt->prompt, false) && bytes_text(&rendered, "");
    if (ok) {
        Text turn = last_turn(&rendered);
        ok = bytes_append(out, turn.data, turn.size);
    }
    bytes_free(&rendered);
    return ok;
}

bool judge_problem(Bytes *out, const ShardEntry *prompt, const Tokenizer *tokenizer)
{
    Record record;
    RecordOptions reading = {.instruction = "none", .prompts = true, .any_difficulty = true};
    bool ok = false;
    if (prompt->row.data != NULL && record_read(&record, prompt->row.data, prompt->row.size, "its row", 1, &reading)) {
        ok = record.format == ROW_IDS || append_turns(out, &record);
        record_free(&record);
        TRY(ok);
    }
    error_clear(); // a row read with --map: its text comes from its tokens
    return (out->size > 0 || decode_turn(out, prompt, tokenizer)) && bytes_text(out, "");
}

// ---- questions to a grader

static bool add_field(Bytes *line, const char *key, Text text)
{
    return bytes_printf(line, ",\"%s\":", key) && json_append_string(line, text);
}

// The row keeps its spelling: a grader sees 0.7 where the data have 0.7.
static bool write_question(Bytes *line, const ShardEntry *p, Text prediction, Text response)
{
    int64_t odd;
    json_t *row = p->row.data == NULL ? json_null() : json_parse_row(p->row.data, p->row.size, "its row", &odd);
    TRY(row != NULL); // a shard may hold any text there
    json_decref(row);
    return bytes_text(line, "{\"id\":") && json_append_string(line, p->id) && add_field(line, "source", p->source) &&
           bytes_text(line, ",\"problem\":") &&
           (p->row.data == NULL ? bytes_text(line, "null") : json_append(line, p->row)) &&
           add_field(line, "answer", p->answer) && add_field(line, "prediction", prediction) &&
           add_field(line, "response", response) && bytes_text(line, "}");
}

bool grader_question(Bytes *line, const ShardEntry *p, Text prediction, Text response)
{
    return write_question(line, p, prediction, response) ||
           fail_in("prompt %.*s: no question for the grader could be made from it", (int)p->id.size, p->id.data);
}
