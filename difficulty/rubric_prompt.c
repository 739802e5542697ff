// See rubric_prompt.h.
#include "difficulty/rubric_prompt.h"

void rubric_prompt_open(RubricPrompt *p, const Rubric *rubric, const ModelFiles *files, Encoder *encoder, bool digit)
{
    *p = (RubricPrompt){.rubric = rubric, .chat = files->chat, .encoder = encoder};
    if (digit)
        p->chat.kind = template_without_thoughts(p->chat.kind);
}

void rubric_prompt_close(RubricPrompt *p)
{
    bytes_free(&p->question);
    bytes_free(&p->text);
}

static bool render(RubricPrompt *p, Text problem)
{
    TRY(rubric_fill(p->rubric, &p->question, problem));
    Message message = {ROLE_USER, {p->question.data, p->question.size}, {NULL, 0}};
    bytes_clear(&p->text);
    return template_prompt(&p->chat, &p->text, &message, 1, true);
}

bool rubric_prompt_ids(RubricPrompt *p, TokenList *ids, Text problem)
{
    return render(p, problem) && encode(p->encoder, ids, p->text.data, p->text.size);
}

bool rubric_prompt_beginning(RubricPrompt *p, TokenList *ids)
{
    Bytes one = {0};
    size_t same = 0;
    bool ok = render(p, (Text){"1", 1}) && bytes_append(&one, p->text.data, p->text.size) && render(p, (Text){"x", 1});
    while (ok && same < one.size && same < p->text.size && one.data[same] == p->text.data[same])
        same++;
    ok = ok && encode(p->encoder, ids, p->text.data, same);
    bytes_free(&one);
    return ok;
}

bool rubric_prompt_digits(const RubricPrompt *p, int32_t digits[DIFFICULTIES], const char *folder)
{
    for (int i = 0; i < DIFFICULTIES; i++) {
        TokenList ids = {0};
        char digit = (char)('1' + i);
        bool ok = encode(p->encoder, &ids, &digit, 1), one = ok && ids.count == 1;
        digits[i] = one ? ids.ids[0] : 0;
        tokens_free(&ids);
        TRY(ok);
        if (!one)
            return fail("%s: \"%c\" is not one token, so digits have no probabilities; use --method generate", folder,
                        digit);
    }
    return true;
}
