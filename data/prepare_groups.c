// Counting rows by difficulty, source and category, however many names there are.
#include "data/prepare_inside.h"
#include <stdlib.h>
#include <string.h>

static void put_slot(PrepareGroups *groups, uint32_t place)
{
    const char *name = groups->list[place].name;
    size_t slot = hash_bytes(name, strlen(name)) & (groups->slot_count - 1);
    while (groups->slots[slot] != 0)
        slot = (slot + 1) & (groups->slot_count - 1);
    groups->slots[slot] = place + 1;
}

static bool grow_slots(PrepareGroups *groups)
{
    if (groups->count * 2 < groups->slot_count)
        return true;
    size_t count = groups->slot_count == 0 ? 64 : groups->slot_count * 2;
    uint32_t *slots = allocate(count, sizeof *slots);
    TRY(slots != NULL);
    free(groups->slots);
    groups->slots = slots;
    groups->slot_count = count;
    for (size_t i = 0; i < groups->count; i++)
        put_slot(groups, (uint32_t)i);
    return true;
}

static PrepareGroup *add_group(PrepareGroups *groups, const char *name, size_t size)
{
    Bytes copy = {0};
    if (!grow_slots(groups) || !grow(&groups->list, &groups->capacity, groups->count + 1, sizeof *groups->list) ||
        !bytes_text(&copy, "") || !bytes_append(&copy, name, size)) {
        bytes_free(&copy);
        return NULL;
    }
    groups->list[groups->count] = (PrepareGroup){.name = copy.data};
    put_slot(groups, (uint32_t)groups->count);
    return &groups->list[groups->count++];
}

PrepareGroup *prepare_group(PrepareGroups *groups, const char *name, size_t size)
{
    size_t mask = groups->slot_count - 1, slot = groups->slot_count == 0 ? 0 : hash_bytes(name, size) & mask;
    for (; groups->slot_count > 0 && groups->slots[slot] != 0; slot = (slot + 1) & mask) {
        PrepareGroup *group = &groups->list[groups->slots[slot] - 1];
        if (strlen(group->name) == size && memcmp(group->name, name, size) == 0)
            return group;
    }
    return add_group(groups, name, size);
}

bool prepare_count(PrepareReport *report, Fate fate, int level, Text source, Text category)
{
    PrepareGroup *by_source = prepare_group(&report->sources, source.data == NULL ? "" : source.data, source.size);
    PrepareGroup *by_category = prepare_group(&report->categories, category.data == NULL ? "" : category.data, category.size);
    TRY(by_source != NULL && by_category != NULL);
    report->fates[fate]++;
    report->levels[level][fate]++;
    by_source->rows[fate]++;
    by_source->levels[level]++;
    by_category->rows[fate]++;
    by_category->levels[level]++;
    return true;
}
