// Counting rows by difficulty, source and category. An unbounded set of names (a page's address as the source) would
// make a list as long as the input: beyond a limit, new names are counted together.
#include "intake/prepare_internal.h"
#include <stdlib.h>
#include <string.h>

enum { NAMES_MOST = 10000, NAME_SHOWN = 40 };
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

static int shown(Text s) { return s.size <= NAME_SHOWN ? (int)s.size : (int)utf8_valid_prefix(s.data, NAME_SHOWN); }

bool prepare_count_verified(PrepareReport *report, const RowState *row, Text source, Text id, Text reference)
{
    PrepareGroup *group = group_of(&report->sources, source.data == NULL ? (Text){"", 0} : source);
    TRY(group != NULL);
    int64_t *count = &report->verified[row->verified];
    group->verified[row->verified]++;
    (*count)++;
    if (row->verified != VERIFIED_UNREADABLE || *count > BAD_ROWS_NAMED)
        return true;
    TRY(bytes_printf(&report->unreadable, "%s%.*s \"%.*s\"", *count > 1 ? ", " : "", shown(id), id.data,
                     shown(reference), reference.data == NULL ? "" : reference.data));
    for (size_t i = 0; i < report->unreadable.size; i++) // escape whatever would act on a terminal
        if ((unsigned char)report->unreadable.data[i] < ' ' || report->unreadable.data[i] == 0x7f)
            report->unreadable.data[i] = ' ';
    return true;
}
