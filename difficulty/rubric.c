// See rubric.h.
#include "difficulty/rubric.h"
#include "system/files.h"
#include <math.h>
#include <string.h>

enum { RUBRIC_BYTES_MOST = 1 << 20 };

const char RUBRIC_DEFAULT[] =
    "Rate the reasoning intensity of the following question on an integer scale from 1 to 5, "
    "considering the number of reasoning steps "
    "required, the prerequisite domain knowledge, and the potential for error.\n"
    "1 = recall of a single fact ... 5 = multi-step derivation requiring deep domain expertise.\n"
    "Question: {question}\n"
    "Output only the integer score.";

bool rubric_open(Rubric *r, const char *file)
{
    *r = (Rubric){0};
    bool given = file != NULL && file[0] != 0;
    TRY(given ? file_read(&r->text, file, RUBRIC_BYTES_MOST) : bytes_text(&r->text, RUBRIC_DEFAULT));
    const char *name = given ? file : "the rubric", *data = r->text.data == NULL ? "" : r->text.data;
    if (utf8_valid_prefix(data, r->text.size) != r->text.size)
        return fail("%s: is not UTF-8", name);
    const char *place = strstr(data, RUBRIC_PLACE);
    if (place == NULL || strstr(place + 1, RUBRIC_PLACE) != NULL)
        return fail("%s: must hold %s once, where the problem goes", name, RUBRIC_PLACE);
    r->place = (size_t)(place - data);
    r->hash = hash_bytes(data, r->text.size);
    return true;
}

void rubric_close(Rubric *r) { bytes_free(&r->text); }

bool rubric_fill(const Rubric *r, Bytes *out, Text question)
{
    size_t behind = r->place + strlen(RUBRIC_PLACE);
    bytes_clear(out);
    return bytes_append(out, r->text.data, r->place) && bytes_append(out, question.data, question.size) &&
           bytes_append(out, r->text.data + behind, r->text.size - behind);
}

static bool render(const Rubric *r, const ChatTemplate *chat, Bytes *out, Text question)
{
    Bytes text = {0};
    bool ok = rubric_fill(r, &text, question);
    Message message = {ROLE_USER, {text.data, text.size}, {NULL, 0}};
    ok = ok && template_prompt(chat, out, &message, 1, true);
    bytes_free(&text);
    return ok;
}

bool rubric_prompt(const Rubric *r, const ChatTemplate *chat, Encoder *encoder, TokenList *ids, Text question)
{
    Bytes text = {0};
    bool ok = render(r, chat, &text, question) && encode(encoder, ids, text.data, text.size);
    bytes_free(&text);
    return ok;
}

bool rubric_beginning(const Rubric *r, const ChatTemplate *chat, Encoder *encoder, TokenList *ids)
{
    Bytes one = {0}, other = {0};
    size_t same = 0;
    bool ok = render(r, chat, &one, (Text){"1", 1}) && render(r, chat, &other, (Text){"x", 1});
    while (ok && same < one.size && same < other.size && one.data[same] == other.data[same])
        same++;
    ok = ok && encode(encoder, ids, one.data, same);
    bytes_free(&one);
    bytes_free(&other);
    return ok;
}

bool rubric_digits(int32_t digits[DIFFICULTIES], Encoder *encoder, const char *folder)
{
    for (int i = 0; i < DIFFICULTIES; i++) {
        TokenList ids = {0};
        char digit = (char)('1' + i);
        bool ok = encode(encoder, &ids, &digit, 1), one = ok && ids.count == 1;
        digits[i] = one ? ids.ids[0] : 0;
        tokens_free(&ids);
        TRY(ok);
        if (!one)
            return fail("%s: \"%c\" is not one token, so digits have no probabilities; use --method generate", folder,
                        digit);
    }
    return true;
}

bool rubric_question(Text *question, const Record *record)
{
    for (size_t i = record_prompt(record); i-- > 0;)
        if (record->messages[i].role == ROLE_USER) {
            *question = record->messages[i].content;
            return question->size > 0 || fail("its question is empty");
        }
    return fail("a row of ids, or without a user turn, asks no question that could be scored");
}

// ---- answers

static Difficulty of_weights(const double weight[DIFFICULTIES])
{
    Difficulty d = {.level = DIFFICULTY_DEFAULT, .expected = DIFFICULTY_DEFAULT};
    double sum = 0, largest = 0;
    for (int i = 0; i < DIFFICULTIES; i++)
        sum += weight[i];
    d.defaulted = !(sum > 0);
    d.probs[DIFFICULTY_DEFAULT - 1] = d.defaulted ? 1 : 0;
    if (d.defaulted)
        return d;
    d.expected = 0;
    for (int i = 0; i < DIFFICULTIES; i++) {
        d.probs[i] = weight[i] / sum;
        d.expected += (i + 1) * d.probs[i];
        if (weight[i] > largest) {
            largest = weight[i];
            d.level = i + 1;
        }
    }
    return d;
}

Difficulty difficulty_of_logprobs(const double logprob[DIFFICULTIES])
{
    double weight[DIFFICULTIES], largest = -INFINITY;
    for (int i = 0; i < DIFFICULTIES; i++)
        largest = fmax(largest, logprob[i]);
    for (int i = 0; i < DIFFICULTIES; i++)
        weight[i] = largest == -INFINITY ? 0 : exp(logprob[i] - largest);
    return of_weights(weight);
}

Difficulty difficulty_of_votes(const int64_t votes[DIFFICULTIES + 1])
{
    double weight[DIFFICULTIES];
    for (int i = 0; i < DIFFICULTIES; i++)
        weight[i] = (double)votes[i + 1];
    return of_weights(weight);
}

static int level_of_token(Text token) // 0: none
{
    size_t begin = 0, end = token.size;
    while (begin < end && strchr(" \t\n", token.data[begin]) != NULL)
        begin++;
    while (end > begin && strchr(" \t\n", token.data[end - 1]) != NULL)
        end--;
    bool one = end - begin == 1 && token.data[begin] >= '1' && token.data[begin] <= '0' + DIFFICULTIES;
    return one ? token.data[begin] - '0' : 0;
}

bool difficulty_of_top(Difficulty *difficulty, const TopToken *top, size_t count)
{
    double weight[DIFFICULTIES] = {0};
    for (size_t i = 0; i < count; i++) {
        int level = level_of_token(top[i].token);
        if (level > 0)
            weight[level - 1] += exp(top[i].logprob);
    }
    *difficulty = of_weights(weight);
    return !difficulty->defaulted;
}
