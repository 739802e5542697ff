// Counting rows by difficulty, source and category. Names without end (an address of a page as the source) would be a list as long as
// the input: from some number on, new ones are counted together.
#include "data/prepare_inside.h"
#include <stdlib.h>
#include <string.h>

enum { NAMES_MOST = 10000 };
static const char OTHERS[] = "(others)";

static PrepareGroup *group_of(PrepareGroups *groups, Text name)
{
    size_t number;
    bool one_too_many = groups->names.count >= NAMES_MOST && !name_known(&groups->names, name.data, name.size);
    if (one_too_many)
        name = (Text){OTHERS, strlen(OTHERS)};
    if (!name_number(&groups->names, name.data, name.size, &number))
        return NULL;
    if (number == groups->count) {
        if (!grow(&groups->list, &groups->capacity, groups->count + 1, sizeof *groups->list))
            return NULL;
        groups->list[groups->count++] = (PrepareGroup){.name = groups->names.names[number]};
    }
    return &groups->list[number];
}

static bool count_in(PrepareGroups *groups, Fate fate, int level, Text name)
{
    PrepareGroup *group = group_of(groups, name.data == NULL ? (Text){"", 0} : name);
    TRY(group != NULL);
    group->rows[fate]++;
    group->levels[level]++;
    return true;
}

bool prepare_count(PrepareReport *report, Fate fate, int level, Text source, Text category, Text kind)
{
    TRY(count_in(&report->sources, fate, level, source) && count_in(&report->categories, fate, level, category) &&
        count_in(&report->answers, fate, level, kind));
    report->fates[fate]++;
    report->levels[level][fate]++;
    return true;
}
