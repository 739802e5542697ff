// A benchmark is one small text file: which fields of the user's data hold what, how a question is put, how responses
// are drawn, where the answer is looked for in them, when it counts, and how verdicts become a score. The lines are
// those of a configuration file (options/options.h), and TASK_ROWS lists them.
// Those in tasks/ are part of the program; any other file can be named in their place.
//
// Texts of several parts (prompt, shot, system) are their lines joined as they are. In them stand
//
//   {question} {options} {letters} {category}    of the question: letters is "A, B, C or D"
//   {letter} {text}                              in `option`, of each option
//   {shots}                                      in `prompt`: the worked examples, each as `shot` puts it
//   {worked}                                     in `shot`: the field that `worked` names
//   {field:NAME}                                 any other field of the row
//
// and {{ is a brace. A field may have several names, question|input: the first that a row has. An extraction is a line
// `WHERE REGEX`: the answer is the first group of a PCRE2 pattern (of the whole, without groups); extractions are tried
// in their order, and the first that matches decides, even where what it finds is empty, which is no answer.
//
//   first | last     of the matches; one of them has to be there
//   ending           of the last line only, once white space behind it is gone
//   anycase, dotall  as in PCRE2
//   filled           a match whose group is empty counts as none, and the next extraction is tried
//   option           REGEX holds {options}: the question's options, escaped; the answer is an option's text. White
//                    space behind the response is gone
#ifndef TASKS_TASK_H
#define TASKS_TASK_H

#include "options/options.h"

typedef enum AnswerForm { FORM_TEXT, FORM_LETTER, FORM_INDEX, FORM_FIRST } AnswerForm;
typedef enum AnswerReading { READ_WHOLE, READ_CONTAINED, READ_UPPER } AnswerReading;
typedef enum Unanswered { UNANSWERED_WRONG, UNANSWERED_TEN, UNANSWERED_OWN } Unanswered;
typedef enum Scoring { SCORE_LETTER, SCORE_ANSWER, SCORE_BBEH } Scoring;
typedef enum Headline { HEADLINE_MICRO, HEADLINE_MACRO, HEADLINE_HARMONIC } Headline;
#define ANSWER_FORMS "text|letter|index|first"
#define ANSWER_READINGS "whole|contained|upper"
#define UNANSWERED_KINDS "wrong|one-of-ten|one-of-its-own"
#define SCORINGS "letter|answer|bbeh"
#define HEADLINES "micro|macro|harmonic"

// clang-format off
#define TASK_ROWS(ROW, GROUP) \
    ROW(about,          text,     "",         "",          task,    IDENTITY, "what it is, in a line") \
    ROW(source,         text,     "",         "",          task,    IDENTITY, "whose protocol it is, and where that is written") \
    ROW(data,           text,     "",         "",          task,    IDENTITY, "the data that the user has to bring") \
    ROW(rows,           integer,  "0",        ">= 0",      task,    IDENTITY, "rows of the whole test set; 0: any number") \
    ROW(question,       text,     "question", "",          fields,  IDENTITY, "field of the question") \
    ROW(id,             text,     "id",       "",          fields,  IDENTITY, "field of a row's name, where the row has it; else its number, from 0") \
    ROW(options,        list,     "",         "",          fields,  IDENTITY, "field of the list of options; or a field for each") \
    ROW(drop_option,    text,     "",         "",          fields,  IDENTITY, "an option that is none, as it is written") \
    ROW(strip_options,  flag,     "false",    "",          fields,  IDENTITY, "options without the white space around them") \
    ROW(shuffle,        flag,     "false",    "",          fields,  IDENTITY, "options in the order of Python's random.Random(0).sample, drawn in the order of the rows") \
    ROW(answer,         text,     "answer",   "",          fields,  IDENTITY, "field of the answer; a list of several is one answer, with commas between them") \
    ROW(first_answer,   flag,     "false",    "",          fields,  IDENTITY, "of a list of answers the first alone counts") \
    ROW(answer_form,    choice,   "text",     ANSWER_FORMS, fields, IDENTITY, "the answer is a text; an option's letter, index or text; or the first option") \
    ROW(categories,     list,     "",         "",          fields,  IDENTITY, "fields by which scores are listed, or paths of them, a/b; the first is the category") \
    ROW(worked,         text,     "",         "",          fields,  IDENTITY, "field of an example's worked answer; what is replaced in it: worked_from, worked_to") \
    ROW(worked_from,    text,     "",         "",          fields,  IDENTITY, "in a worked answer this text") \
    ROW(worked_to,      text,     "",         "",          fields,  IDENTITY, "becomes this one") \
    ROW(system,         repeated, "",         "",          prompt,  IDENTITY, "system turn") \
    ROW(prompt,         repeated, "",         "",          prompt,  IDENTITY, "user turn, or the whole text") \
    ROW(option,         text,     "",         "",          prompt,  IDENTITY, "an option in {options}") \
    ROW(completion,     flag,     "false",    "",          prompt,  IDENTITY, "the prompt is a text to go on with, not a turn of a chat") \
    ROW(shots,          integer,  "0",        ">= 0",      prompt,  IDENTITY, "worked examples of the same category, from the file --shots") \
    ROW(shot,           repeated, "",         "",          prompt,  IDENTITY, "a worked example") \
    ROW(prompt_tokens,  integer,  "0",        ">= 0",      prompt,  IDENTITY, "examples are left out while the prompt has as many tokens; 0: never") \
    ROW(samples,        integer,  "1",        "> 0 and <= 65536", sampling, IDENTITY, "responses to each question") \
    ROW(max_new_tokens, integer,  "8192",     "> 0",       sampling, IDENTITY, "longest response, in tokens") \
    ROW(temperature,    number,   "0",        ">= 0",      sampling, IDENTITY, "sampling temperature; 0: greedy") \
    ROW(stop,           repeated, "",         "",          sampling, IDENTITY, "text that ends a response") \
    ROW(turns,          flag,     "false",    "",          scoring, IDENTITY, "where <|im_start|>user stands in a response, it is read from the first <|im_start|>assistant on, and without `after`") \
    ROW(after,          repeated, "",         "",          scoring, IDENTITY, "only what follows the last of this text is read, without white space around it") \
    ROW(before,         repeated, "",         "",          scoring, IDENTITY, "only what precedes the first of this text is read, without white space around it") \
    ROW(next_question,  text,     "",         "",          scoring, IDENTITY, "a response that goes on to another question: its answer is looked for before the first of this text, and only if there is none in all of it") \
    ROW(extract,        repeated, "",         "",          scoring, IDENTITY, "where the answer is looked for; see above") \
    ROW(read,           choice,   "whole",    ANSWER_READINGS, scoring, IDENTITY, "the letter is all that was found; the first of A to J in it; or all of it, in upper case") \
    ROW(unanswered,     choice,   "wrong",    UNANSWERED_KINDS, scoring, IDENTITY, "a response without an answer: wrong, or a letter drawn for it") \
    ROW(score,          choice,   "answer",   SCORINGS,    scoring, IDENTITY, "equal letters; equal answers (answers/verify.h); or BBEH's comparison") \
    ROW(headline,       choice,   "micro",    HEADLINES,   scoring, IDENTITY, "the score: of all questions, the mean of categories, or the harmonic mean of their percentages, each plus one")
// clang-format on

OPTIONS_DEFINE(TaskOptions, task_options, TASK_ROWS)

enum { LETTERS_MOST = 26, CATEGORIES_MOST = 8 }; // options of a question; fields of categories

typedef struct Task {
    char *name;    // "mmlu_pro"
    char *given;   // as it was named: that, or a file
    Bytes text;    // its file, whole
    uint64_t hash; // of that
    TaskOptions o;
    Options options;            // owns the texts of o
    Bytes system, prompt, shot; // the parts joined
} Task;

extern const char *const TASK_NAMES[]; // of those in the program, NULL-terminated; and their texts
extern const char *const TASK_TEXTS[];

// name_or_file: mmlu_pro, or ./mine.task, which is then called "mine". Fails with file and line; an unknown name with
// the nearest one.
bool task_open(Task *task, const char *name_or_file);
void task_close(Task *task);

bool tasks_list(Bytes *out);                          // the tasks of the program, and the data that each needs
bool task_show(Bytes *out, const char *name_or_file); // its text

// The row's value of the first of these fields, "question|input", that it has and that is not null; NULL: none. Belongs
// to row.
json_t *task_field(const json_t *row, const char *names);

#endif
