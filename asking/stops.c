// See stops.h.
#include "asking/stops.h"
#include <string.h>

static size_t longest_text(const StopTexts *s)
{
    size_t longest = 0;
    for (size_t i = 0; i < s->count; i++)
        longest = strlen(s->texts[i]) > longest ? strlen(s->texts[i]) : longest;
    return longest;
}

// Copies the text of token `id` to the left of *begin in tail, as much of its end as fits; a special token's is empty.
static bool put_before(const StopTexts *s, char *tail, size_t *begin, int32_t id)
{
    size_t size;
    const char *bytes = token_bytes(s->tokenizer, id, &size);
    if (bytes == NULL)
        return false;
    if (tokenizer_is_special(s->tokenizer, id))
        return true;
    size_t kept = size < *begin ? size : *begin;
    *begin -= kept;
    memcpy(tail + *begin, bytes + size - kept, kept);
    return true;
}

// A text that ends in the last token begins at most its own length before that token: as many bytes are joined.
bool stop_texts_met(const StopTexts *s, const int32_t *ids, int64_t count)
{
    enum { TAIL = 4096 };
    char tail[TAIL];
    size_t begin = TAIL, last = 0, wanted = longest_text(s);
    if (s->count == 0 || token_bytes(s->tokenizer, ids[count - 1], &last) == NULL)
        return false;
    for (int64_t i = count; i-- > 0 && TAIL - begin < wanted + last && begin > 0;)
        if (!put_before(s, tail, &begin, ids[i]))
            break;
    for (size_t i = 0; i < s->count; i++)
        if (memmem(tail + begin, TAIL - begin, s->texts[i], strlen(s->texts[i])) != NULL)
            return true;
    return false;
}

size_t stop_texts_cut(const StopTexts *s, const char *text, size_t size)
{
    for (size_t i = 0; i < s->count; i++) {
        const char *found = memmem(text, size, s->texts[i], strlen(s->texts[i]));
        if (found != NULL)
            size = (size_t)(found - text); // an earlier one may still be found before it
    }
    return size;
}

bool stop_texts_watch(void *stops, const GenerationResult *so_far)
{
    return stop_texts_met(stops, so_far->ids, so_far->count);
}

static bool is_among(const int32_t *end, int64_t count, int32_t id)
{
    while (count > 0 && end[count - 1] != id)
        count--;
    return count > 0;
}

bool stop_texts_response(const StopTexts *s, const int32_t *end, int64_t end_count, const GenerationResult *r,
                         Bytes *scratch, Text *text)
{
    int64_t count = r->count > 0 && is_among(end, end_count, r->ids[r->count - 1]) ? r->count - 1 : r->count;
    bytes_clear(scratch);
    TRY(decode(s->tokenizer, scratch, r->ids, (size_t)count, false) && bytes_text(scratch, ""));
    *text = (Text){scratch->data, stop_texts_cut(s, scratch->data, scratch->size)};
    return true;
}
