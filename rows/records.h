// One row of a JSONL file as one Record: the messages of the prompt, the response if there is one, and the row's other
// facts. Nothing is rendered or tokenised here (rows/tokenised.h does that). The row formats:
//
//   chat               messages [{role, content, reasoning_content}] or ShareGPT's conversations [{from, value}]; a
//                      last turn of the assistant is the response
//   prompt/completion  prompt and completion (or response), each a text (a user turn, an assistant turn) or a list of
//                      messages
//   Alpaca             instruction, input, output (or response): the user turn is the instruction, a newline and the
//                      input, or one of them where the other is blank
//   problem            problem or question; solution or response (text) is the response; options are written below it;
//                      the instruction, or the options' own, is appended to the user turn
//   generated          any of these with finish_reason and text: that is the response, in the place of the row's own;
//                      without text, finish_reason says how the row's own response ended
//   ids                ids and, optionally, labels: -100 where it is not trained, the id itself elsewhere
//
// A row that is two of them is refused unless RecordOptions.format decides; a blank response counts as none, and so
// does a blank answer; a blank question is refused. Beside these, the same in every format but ids:
//
//   system (system_prompt, system_message)    a system turn before all others
//   history [[question, answer], ...]         turns before the question, where that is a text
//   reasoning_content (reasoning, thinking)   the thought of the response; in a message, of that message
//   weight, train, training, loss, loss_mask  of a message: 0 or false, it is not trained; 1 or true, it is
//                                             (Record.marks)
//   the same of a row, loss_weight            1 or true passes, anything else is refused
//   options, choices                          make it multiple choice: a list of texts, {"A": text, ...}, or {text: [],
//                                             label: []}. Other rows than problems have to hold them in their prompt.
//                                             The answer names one of them by letter or text; answer_index is its
//                                             place, from 0
//   context, passage, document, ...           have to be in the prompt (Alpaca's is called input)
//   enable_thinking                           as in chat_template_kwargs
//   content as parts of type text             one text
//   chat_template_kwargs.enable_thinking      must agree with the template
//   tools, functions, tool_calls, images, audio, video and their like are refused unless there is nothing in them
//
// A field of these with another type is an error, never taken as absent; any other field is ignored. Numbers keep their
// spelling: an answer or id that is not a string is kept as the characters in the row, and record_append writes all of
// them so. Values that jansson can't hold (integers beyond 64 bits, 1e400), and NaN and the infinities, matter only
// where they are read.
#ifndef ROWS_RECORDS_H
#define ROWS_RECORDS_H

#include "json/json_source.h"
#include "tokenizer/template.h"

// General-Reasoner's instruction to the model (Ma et al. 2025); --instruction's default everywhere. For rows with
// options, the default means the sentence about option letters from its evaluation.
#define INSTRUCTION_DEFAULT "Please reason step by step, and put your final answer within \\boxed{}."

#define ROW_FORMAT_CHOICES "auto|chat|prompt|alpaca|problem|ids"
typedef enum RowFormat { ROW_CHAT, ROW_PROMPT, ROW_ALPACA, ROW_PROBLEM, ROW_IDS, ROW_FORMATS } RowFormat;
extern const char *const ROW_FORMAT_NAMES[ROW_FORMATS]; // "chat", "prompt/completion", ...

typedef enum TurnMark { TURN_UNMARKED, TURN_TRAINED, TURN_NOT_TRAINED } TurnMark; // what a message says of itself
typedef enum Thinking { THINKING_UNSAID, THINKING_ON, THINKING_OFF } Thinking; // chat_template_kwargs.enable_thinking

typedef struct Unread {         // a field that may hold what the row lacks
    const char *name;           // NULL: none
    const char *before, *after; // the options that would read it: before, name, after; NULL: none
} Unread;

typedef struct Record {
    RowFormat format;
    Message *messages; // (count) the prompt's, then the response if has_response; none in an ids row
    uint8_t *marks;    // (count) TurnMark
    size_t count;
    bool has_response;
    bool generated, unfinished; // it has finish_reason and text; its finish_reason is not "stop"
    int32_t *ids;               // (tokens) ids rows only
    uint8_t *trained;           // (tokens) 1 where the token is trained
    size_t tokens;
    char *id;                 // the row's id, else the number of its line
    char *answer;             // for RL: a string's text, a one-element list's element, else as spelled; NULL: none
    Text source, category;    // data NULL if there is none
    int difficulty;           // 1-5; 0: unknown
    bool difficulty_replaced; // it is RecordOptions.missing_difficulty
    int64_t line;             // from 1

    Thinking thinking;
    Unread unread_response, unread_answer; // where it has no response or answer
    uint32_t mapped;                       // bit i: the row had map[i].name
    int64_t odd_numbers;                   // NaN and infinities in fields that are not read

    json_t *row;       // what the texts above point into; fields renamed as mapped
    JsonFields fields; // the same, as written
    Bytes text;        // the row's text, which these point into
    Bytes *made;       // (made_count) texts that were composed
    size_t made_count, made_capacity;
} Record;

typedef struct FieldMap { // a row's field `name`, if it has one, is read as `field`
    const char *field, *name;
} FieldMap;

typedef struct RecordOptions {
    const char *instruction; // NULL, "" or "none": nothing is appended
    const char *system;      // a system turn for rows without one; NULL or "": none
    const FieldMap *map;     // (map_count)
    size_t map_count;
    const char *format;     // chat, prompt, alpaca, problem or ids: for ambiguous rows; NULL or auto: by their keys
    bool pair;              // a line is a pair of answers ("gold" is the answer), with options but without turns
    bool prompts;           // rows are asked, not trained on: a row of ids may have a single one
    bool any_difficulty;    // it is not checked
    bool need_difficulty;   // 1 to 5; else it may be unknown: absent, 0, or a label in words, as in WebInstruct
    int missing_difficulty; // 1-5: replaces a difficulty that is absent or not 1 to 5; 0: none
} RecordOptions;

// Reads one line (without its newline). file and line are in every error: "file.jsonl:17: ...". Nothing to free on
// failure.
bool record_read(Record *record, const char *json, size_t size, const char *file, int64_t line,
                 const RecordOptions *options);
void record_free(Record *record);

// Appends the row as spelled, without the fields `without` (NULL-terminated) and without its final }: "{...", to which
// fields may be added.
bool record_append(Bytes *out, const Record *record, const char *const *without);

bool unread_remedy(Bytes *out, const Unread *unread); // appends the options that would read it, if any

size_t record_prompt(const Record *record); // the number of messages before the response

#endif
