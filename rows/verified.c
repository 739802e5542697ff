// One row's own response compared with its own reference, for --verify: right, wrong, unknown, or unreadable because no
// rule can tell.
// tell.
#include "rows/verified.h"
#include "answers/verify.h"
#include "base/text.h"
#include <string.h>

const char *const VERIFIED_NAMES[VERIFIED_KINDS] = {"", "right", "wrong", "unknown", "unreadable"};

Verified record_verify(const Record *record, Text row)
{
    Finding finding;
    if (record->format != ROW_IDS && !record->has_response)
        return VERIFIED_NOT;
    Text reference = {record->answer, record->answer == NULL ? 0 : strlen(record->answer)};
    if (record->format == ROW_IDS || text_trimmed(reference).size == 0)
        return VERIFIED_UNREADABLE;
    verify_finding(&finding, row, reference, record->messages[record->count - 1].content);
    if (finding.answer[0] != 0 && finding.verdict == VERDICT_EQUAL)
        return VERIFIED_RIGHT;
    if (!answer_comparable(row, reference))
        return VERIFIED_UNREADABLE;
    return finding.answer[0] == 0 || finding.verdict == VERDICT_DIFFERENT ? VERIFIED_WRONG : VERIFIED_UNKNOWN;
}
