// Writing a score into a row, and reading it back: see score_row.h.
#include "difficulty/score_row.h"
#include "base/text.h"
#include "system/files.h"
#include "rows/row_write.h"
#include <stdlib.h>
#include <string.h>

static const char *const OWN_FIELDS[] = {"difficulty",        "difficulty_expected",
                                         "difficulty_probs",  "difficulty_default",
                                         "difficulty_answer", "scorer",
                                         "scorer_weights",    "scorer_prompt",
                                         "pass_rate",         "pass_right",
                                         "pass_wrong",        "pass_unknown",
                                         "pass_cut_off",      NULL};

static bool was_scored(const Record *record) // by an earlier run of ./score
{
    Text prompt = json_field(&record->fields, "scorer_prompt");
    size_t digits = 0;
    while (digits + 2 < prompt.size && strchr("0123456789abcdef", prompt.data[digits + 1]) != NULL)
        digits++;
    return digits == 16 && prompt.size == 18 && json_field(&record->fields, "scorer").data != NULL;
}

bool score_row_begin(Bytes *row, const Record *record)
{
    return was_scored(record) ? row_begin(row, record, OWN_FIELDS) : row_begin_aside(row, record, OWN_FIELDS);
}

bool scorer_name_folder(Bytes *name, const char *folder)
{
    char *path = realpath(folder, NULL);
    if (path == NULL)
        return fail_errno("%s: finding its real path", folder);
    const char *from = path + strlen(path);
    for (int slashes = 0; from > path && (from[-1] != '/' || ++slashes < 2);)
        from--;
    bool ok = bytes_text(name, from);
    free(path);
    return ok;
}

static bool add_hash(Bytes *line, const char *name, uint64_t hash)
{
    char text[24];
    return row_text(line, name, text, (size_t)snprintf(text, sizeof text, "%016" PRIx64, hash));
}

bool score_row_end(Bytes *line, Text row, const Difficulty *d, Text said, const Scorer *scorer)
{
    float probs[DIFFICULTIES];
    for (int i = 0; i < DIFFICULTIES; i++)
        probs[i] = (float)d->probs[i];
    TRY(bytes_append(line, row.data, row.size) && row_integer(line, "difficulty", d->level));
    TRY(row_number(line, "difficulty_expected", d->expected) &&
        row_floats(line, "difficulty_probs", probs, DIFFICULTIES));
    return (!d->defaulted || score_row_default(line, said)) && score_row_scorer(line, scorer);
}

bool score_row_default(Bytes *line, Text said)
{
    return bytes_text(line, ",\"difficulty_default\":true") &&
           row_text(line, "difficulty_answer", said.data == NULL ? "" : said.data, said.size);
}

bool score_row_scorer(Bytes *line, const Scorer *scorer)
{
    TRY(row_text(line, "scorer", scorer->name.data, scorer->name.size));
    TRY(scorer->remote || add_hash(line, "scorer_weights", scorer->weights));
    return add_hash(line, "scorer_prompt", scorer->prompt) && row_end(line);
}

// ---- the tally

static bool keep_answer(ScoreTally *t, Text row)
{
    json_t *object = json_parse(row.data, row.size, t->journal->file.path);
    const json_t *said = json_object_get(object, "difficulty_answer");
    bool ok = object != NULL && bytes_append(&t->useless, json_string_value(said), json_string_length(said));
    json_decref(object);
    return ok;
}

static int64_t number_behind(Text score, const char *name) // 0 where it is not there
{
    const char *at = text_last(score, name);
    return at == NULL ? 0 : strtoll(at + strlen(name), NULL, 10); // the row's closing brace ends it at the latest
}

// The row as in the file: the last "difficulty" in it is the score's.
bool score_tally_add(void *tally, Text row)
{
    ScoreTally *t = tally;
    static const char own[] = "\"difficulty\":";
    const char *at = text_last(row, own), *end = row.data + row.size;
    int level = at == NULL || end - at < 16 ? 0 : at[strlen(own)] - '0';
    if (level < 1 || level > DIFFICULTIES)
        return fail("%s: a row in it has no difficulty; %s", t->journal->file.path, t->journal->anew.data);
    Text score = text_between(at, end);
    bool useless = text_last(score, "\"difficulty_default\":true") != NULL;
    TRY(!useless || t->levels[0] > 0 || keep_answer(t, row));
    t->levels[useless ? 0 : level]++;
    t->responses[VERDICT_EQUAL] += number_behind(score, "\"pass_right\":");
    t->responses[VERDICT_DIFFERENT] += number_behind(score, "\"pass_wrong\":");
    t->responses[VERDICT_UNKNOWN] += number_behind(score, "\"pass_unknown\":");
    t->cut_off += number_behind(score, "\"pass_cut_off\":");
    return true;
}

bool score_tally_file(ScoreTally *t, const char *path)
{
    MappedFile file;
    bool ok = file_map(&file, path);
    memset(t->levels, 0, sizeof t->levels);
    memset(t->responses, 0, sizeof t->responses);
    t->cut_off = 0;
    const char *at = (const char *)file.data, *end = at + file.size, *newline;
    for (; ok && at < end && (newline = (const char *)memchr(at, '\n', (size_t)(end - at))) != NULL; at = newline + 1)
        ok = score_tally_add(t, (Text){at, (size_t)(newline - at)});
    file_unmap(&file);
    return ok;
}

void score_tally_show(const ScoreTally *t, Progress *progress)
{
    const int64_t *n = t->levels;
    progress_note(progress,
                  "difficulty 1: %" PRId64 " | 2: %" PRId64 " | 3: %" PRId64 " | 4: %" PRId64 " | 5: %" PRId64
                  " | no usable score: %" PRId64 "%s",
                  n[1], n[2], n[3], n[4], n[5], n[0], n[0] > 0 ? " (3 stands in, with difficulty_default)" : "");
    const int64_t *r = t->responses, all = r[0] + r[1] + r[2];
    if (all > 0)
        progress_note(progress,
                      "responses: %" PRId64 " right | %" PRId64 " wrong | %" PRId64
                      " unknown: no rule decides | %" PRId64 " of all cut off",
                      r[VERDICT_EQUAL], r[VERDICT_DIFFERENT], r[VERDICT_UNKNOWN], t->cut_off);
    if (2 * t->cut_off > all)
        progress_note(progress,
                      "warning: %" PRId64 " of %" PRId64 " responses were cut off, and are wrong for that alone: the "
                      "levels say how long they are; give a larger --max-new-tokens, or --context",
                      t->cut_off, all);
}

static int64_t useless_allowed(const ScoreTally *t)
{
    return (int64_t)(t->unusable_share * (double)t->rows + 1e-9); // 0.29 · 100 is 28.999999999999996
}

bool score_tally_is_useless(const ScoreTally *t) { return t->levels[0] > useless_allowed(t); }

bool score_tally_fail(ScoreTally *t)
{
    for (size_t i = 0; i < t->useless.size; i++) // escape what would act on a terminal
        if ((unsigned char)t->useless.data[i] < ' ' || t->useless.data[i] == 0x7f)
            t->useless.data[i] = ' ';
    return fail("%" PRId64 " of %" PRId64
                " rows have no usable score so far, and --unusable-share %g allows no more than %" PRId64
                "; the first unusable answer ends in \"%s\"; %s, and %s; or raise "
                "--unusable-share, and the same command goes on",
                t->levels[0], t->rows, t->unusable_share, useless_allowed(t),
                t->useless.data == NULL ? "" : t->useless.data, t->remedy, t->journal->anew.data);
}

void score_tally_free(ScoreTally *t) { bytes_free(&t->useless); }
