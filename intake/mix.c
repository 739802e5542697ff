// Parsing --mix: see mix.h.
#include "intake/mix.h"
#include "base/number.h"
#include <stdlib.h>
#include <string.h>

static bool parse_word(LoaderWeight *weight, const char *word)
{
    const char *equals = strrchr(word, '='); // a source's name may contain =
    bool level = strncmp(word, "level:", 6) == 0, source = strncmp(word, "source:", 7) == 0;
    if (equals == NULL || (!level && !source) || !number_parse(&weight->weight, equals + 1))
        return fail_as(ERROR_USAGE, "--mix %s: must be level:1=WEIGHT or source:NAME=WEIGHT", word);
    if (level) {
        if (equals != word + 7 || word[6] < '0' || word[6] > '5')
            return fail_as(ERROR_USAGE, "--mix %s: a level is 0 (unknown) to 5", word);
        weight->level = word[6] - '0';
        return true;
    }
    weight->level = -1;
    char *name = copy_text(word + 7);
    if (name != NULL)
        name[equals - word - 7] = 0;
    weight->source = name;
    return name != NULL;
}

bool mix_parse(LoaderWeight **weights, const char *const *words, size_t count)
{
    *weights = allocate(count + 1, sizeof **weights);
    TRY(*weights != NULL);
    for (size_t i = 0; i < count; i++)
        if (!parse_word(&(*weights)[i], words[i])) {
            mix_free(*weights, count);
            *weights = NULL;
            return false;
        }
    return true;
}

void mix_free(LoaderWeight *weights, size_t count)
{
    for (size_t i = 0; weights != NULL && i < count; i++)
        free((void *)(uintptr_t)weights[i].source);
    free(weights);
}
