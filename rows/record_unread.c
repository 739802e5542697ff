// For a row that lacks a response or an answer: the field that may hold it, and the option that would read it, if any.
#include "answers/choice.h"
#include "rows/records_internal.h"

typedef Unread (*Remedy)(const Reading *r, const char *name, const json_t *value);

// The first of names that is not empty and can be read; else the first that is not empty.
static Unread find(const Reading *r, const char *const *names, Remedy remedy)
{
    Unread first = {0};
    for (; *names != NULL; names++) {
        const json_t *value = row_field(r->row, *names);
        if (is_nothing(value))
            continue;
        Unread unread = remedy(r, *names, value);
        if (unread.before != NULL)
            return unread;
        first = first.name == NULL ? unread : first;
    }
    return first;
}

// ---- a response

static bool is_turn_of(const json_t *message, Role role)
{
    static const char *const names[][2] = {
        [ROLE_SYSTEM] = {"system", "system"}, [ROLE_USER] = {"user", "human"}, [ROLE_ASSISTANT] = {"assistant", "gpt"}};
    Text name = text_of(row_field(message, "role"));
    name = name.data == NULL ? text_of(row_field(message, "from")) : name;
    return name.data != NULL && (text_is(name, names[role][0]) || text_is(name, names[role][1]));
}

// A chosen answer, or the whole conversation that ends with it (as in TRL's preference data).
static Unread of_messages(const char *name, const json_t *list)
{
    size_t count = json_array_size(list);
    const json_t *first = json_array_get(list, 0), *last = json_array_get(list, count - 1);
    if (count == 1 && is_turn_of(first, ROLE_ASSISTANT))
        return (Unread){name, "--map completion=", ""};
    if (count > 1 && is_turn_of(last, ROLE_ASSISTANT) &&
        (is_turn_of(first, ROLE_SYSTEM) || is_turn_of(first, ROLE_USER)))
        return (Unread){name, "--map _prompt=prompt --map messages=", ""};
    return (Unread){.name = name};
}

static Unread read_as_response(const Reading *r, const char *name, const json_t *value)
{
    static const char *const maps[ROW_FORMATS] = {
        [ROW_PROMPT] = "--map completion=", [ROW_ALPACA] = "--map output=", [ROW_PROBLEM] = "--map solution="};
    if (r->record->format == ROW_PROMPT && json_is_array(value))
        return of_messages(name, value);
    if (!json_is_string(value))
        return (Unread){.name = name};
    if (r->record->format != ROW_CHAT)
        return (Unread){name, maps[r->record->format], ""};
    if (row_field(r->row, "messages") != NULL)
        return (Unread){name, "jq -c '.messages += [{role: \"assistant\", content: .", "}]'"};
    return (Unread){name, "jq -c '.conversations += [{from: \"gpt\", value: .", "}]'"};
}

// ---- an answer

static Unread read_as_answer(const Reading *r, const char *name, const json_t *value)
{
    json_t *options = json_object_get(r->row, "options");
    if (is_nothing(options))
        return (Unread){name, "--map answer=", ""};
    Text written = json_is_string(value) ? text_of(value) : json_field(&r->record->fields, name);
    bool place = place_of_option(written, option_count(options)) >= 0, named = choice_named(options, written) != 0;
    if (place && !named)
        return (Unread){name, "--map answer_index=", ""};
    return named && !place ? (Unread){name, "--map answer=", ""} : (Unread){.name = name};
}

void find_unread(const Reading *r)
{
    static const char *const responses[] = {
        "response",    "completion", "output",      "solution", "generated_solution", "generation",
        "rationale",   "reasoning",  "target",      "chosen",   "assistant",          "model_output",
        "generations", "cot",        "answer_text", NULL};
    static const char *const answers[] = {
        "answerKey",      "answer_key", "final_answer", "ground_truth", "expected_answer", "gold", "reference_answer",
        "correct_answer", "answer_idx", "reference",    "target",       "label",           NULL};
    Record *record = r->record;
    if (!record->has_response && record->format != ROW_IDS)
        record->unread_response = find(r, responses, read_as_response);
    if (record->answer != NULL)
        return;
    record->unread_answer = find(r, answers, read_as_answer);
    const json_t *reward = row_field(r->row, "reward_model"); // VeRL's
    if (record->unread_answer.before == NULL && !is_nothing(row_field(reward, "ground_truth")))
        record->unread_answer = (Unread){"reward_model.ground_truth", "jq -c '.answer = .", "'"};
}

bool unread_remedy(Bytes *out, const Unread *unread)
{
    return unread->before == NULL || bytes_printf(out, "%s%s%s", unread->before, unread->name, unread->after);
}
