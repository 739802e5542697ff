// A picture of what ./prepare did, as SVG: where the rows of each difficulty went, and how difficult each category is.
#ifndef INTAKE_SPLIT_PICTURE_H
#define INTAKE_SPLIT_PICTURE_H

#include "base/base.h"

enum SplitPart {
    SPLIT_SFT,     // with a response
    SPLIT_PROMPTS, // for SFT, but without a response yet
    SPLIT_RL,
    SPLIT_HARD, // hard rows for a second stage of SFT
    SPLIT_HOLDOUT,
    SPLIT_DROPPED,
    SPLIT_SFT_AND_RL,     // for both stages
    SPLIT_PROMPTS_AND_RL, // likewise, but without a response yet
    SPLIT_PARTS
};

typedef struct SplitCount { // rows of one difficulty or group, by fate
    const char *name;
    int64_t part[SPLIT_PARTS];
} SplitCount;

// Appends the picture. title: of the right panel. tau: 0 for none. levels: six, unknown and 1 to 5. groups:
// (group_count) the largest first; levels_of_group: (group_count) rows of each difficulty in them. Names may be any
// UTF-8.
bool split_picture(Bytes *svg, const char *title, int tau, const SplitCount *levels, const SplitCount *groups,
                   size_t group_count, const int64_t (*levels_of_group)[6]);

#endif
