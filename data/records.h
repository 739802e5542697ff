// One row of a JSONL file as one Record: the messages of the prompt, the response if there is one, what is known about the row.
// Nothing is rendered or tokenised here (data/documents.h does that), and unknown fields are not looked at. The row formats:
//
//   chat               messages [{role, content, reasoning_content}] or ShareGPT's conversations [{from, value}]; a last turn of
//                      the assistant is the response
//   prompt/completion  prompt and completion, each a text (a user turn, an assistant turn) or a list of messages
//   Alpaca             instruction, input, output: the user turn is the instruction, a newline and the input if that is not empty
//   problem            problem or question; solution or response (text) is the response; options makes it multiple choice; the
//                      instruction of the options is appended to the user turn
//   generated          any of these with finish_reason: the response is `text` and stands in the place of the row's own
//   ids                ids and, optionally, labels: -100 where it is not trained, the id itself elsewhere
//
// A row that is two of them is refused; an empty response counts as none.
#ifndef DATA_RECORDS_H
#define DATA_RECORDS_H

#include "data/template.h"

#ifdef __cplusplus
extern "C" {
#endif

// What General-Reasoner asks of the model (Ma et al. 2025); --instruction's default everywhere. For rows with options, the
// default stands for the sentence about option letters that its evaluation uses.
#define INSTRUCTION_DEFAULT "Please reason step by step, and put your final answer within \\boxed{}."

typedef enum RowFormat { ROW_CHAT, ROW_PROMPT, ROW_ALPACA, ROW_PROBLEM, ROW_IDS, ROW_FORMATS } RowFormat;
extern const char *const ROW_FORMAT_NAMES[ROW_FORMATS]; // "chat", "prompt/completion", ...

typedef struct Record {
    RowFormat format;
    Message *messages; // (count) the prompt's, then the response if has_response; none in an ids row
    size_t count;
    bool has_response;
    bool generated, unfinished; // it has a finish_reason; that is "length", or another than "stop"
    int32_t *ids;               // (tokens) ids rows only
    uint8_t *trained;           // (tokens) 1 where the token is trained
    size_t tokens;
    char *id;                 // the row's id, else the number of its line
    char *answer;             // of RL: a text as it is, a list of one's element, anything else as JSON; NULL if there is none
    Text source, category;    // data NULL if there is none
    int difficulty;           // 1-5; 0: unknown
    bool difficulty_replaced; // it is RecordOptions.missing_difficulty
    int64_t line;             // from 1

    struct json_t *row; // what the texts above point into; fields renamed as mapped
    char *question;     // the user turn, where it was put together from several fields
} Record;

typedef struct FieldMap { // what a row calls `name`, if it has that, becomes its `field`
    const char *field, *name;
} FieldMap;

typedef struct RecordOptions {
    const char *instruction; // NULL, "" or "none": nothing is appended
    const FieldMap *map;     // (map_count)
    size_t map_count;
    bool prompts;           // rows are asked, not trained on: a row of ids may have a single one
    bool any_difficulty;    // whatever it is, it is not looked at
    bool need_difficulty;   // of 1 to 5; else it may be unknown: absent, 0, or a label in words, such as WebInstruct's
    int missing_difficulty; // 1-5: stands in for one that is absent or none of 1 to 5; 0: nothing does
} RecordOptions;

// Reads one line (without its newline). file and line stand in every error: "file.jsonl:17: ...". Nothing to free on failure.
bool record_read(Record *record, const char *json, size_t size, const char *file, int64_t line, const RecordOptions *options);
void record_free(Record *record);

size_t record_prompt(const Record *record); // how many of messages come before the response

#ifdef __cplusplus
}
#endif
#endif
