// See bbeh.h.
#include "tasks/bbeh.h"
#include "base/text.h"
#include "tasks/python_text.h"
#include <string.h>

// In this order: what one leaves is searched for the next. A colon behind "The final answer is" thus remains, unless
// a blank follows it.
static const char *const PREFIXES[] = {"The answer is:", "The final answer is ",
                                       "The final answer is: ", "The answer is ", NULL};
static const char *const WRAPPERS[] = {"boxed{", "text{", "texttt{", NULL};

static Text without_end(Text text, size_t size) { return (Text){text.data, text.size - size}; }

// Between the first and the second of the wrapper's openings, or up to the closing brace at the end.
static Text unwrapped(Text text, const char *wrapper)
{
    if (!python_in(wrapper, text) || !python_ends(text, "}"))
        return text;
    text = without_end(text, 1);
    const char *begin = python_split_first(text, wrapper).size + text.data + strlen(wrapper);
    return python_split_first(text_between(begin, text.data + text.size), wrapper);
}

static Text extracted(Text answer)
{
    for (const char *const *prefix = PREFIXES; *prefix != NULL; prefix++)
        if (python_in(*prefix, answer))
            answer = python_strip(python_split_last(answer, *prefix));
    if (python_ends(answer, "."))
        answer = without_end(answer, 1);
    if (python_starts(answer, "$") && python_ends(answer, "$")) // "$" is both
        answer = answer.size < 2 ? (Text){"", 0} : (Text){answer.data + 1, answer.size - 2};
    for (const char *const *wrapper = WRAPPERS; *wrapper != NULL; wrapper++)
        answer = unwrapped(answer, *wrapper);
    return answer;
}

bool bbeh_prediction(Bytes *out, Text sample)
{
    Bytes lower = {0}, commas = {0};
    bytes_clear(out);
    bool ok = python_lower(&lower, extracted(python_strip(sample))) &&
              python_replace(&commas, (Text){lower.data, lower.size}, ", ", ",") &&
              python_replace(out, (Text){commas.data, commas.size}, "**", "");
    bytes_free(&lower);
    bytes_free(&commas);
    TRY(ok);
    Text line = python_split_first((Text){out->data, out->size}, "\n");
    out->size = line.size - python_ends(line, ".");
    out->data[out->size] = 0;
    return true;
}

// "(a)", three characters: then the letter is *inner.
static bool in_brackets(Text text, Text *inner)
{
    size_t characters = 0;
    for (size_t i = 0; i < text.size; i++)
        characters += ((unsigned char)text.data[i] & 0xC0) != 0x80;
    if (characters != 3 || !python_starts(text, "(") || !python_ends(text, ")"))
        return false;
    *inner = (Text){text.data + 1, text.size - 2};
    return true;
}

static bool equal_numbers(Text a, Text b)
{
    double x, y;
    return python_float(&x, a) && python_float(&y, b) && x == y;
}

static bool equal_without_quotes(Text a, Text b, bool *equal)
{
    Bytes plain[2] = {{0}, {0}};
    bool ok = python_replace(&plain[0], a, "'", "") && python_replace(&plain[1], b, "'", "");
    if (ok)
        *equal = texts_equal((Text){plain[0].data, plain[0].size}, (Text){plain[1].data, plain[1].size});
    bytes_free(&plain[0]);
    bytes_free(&plain[1]);
    return ok;
}

static bool is_bracketed(Text text, Text inner)
{
    return text.size == inner.size + 2 && python_starts(text, "[") && python_ends(text, "]") &&
           texts_equal((Text){text.data + 1, inner.size}, inner);
}

static bool nearly(Text said, Text right, bool *equal)
{
    Text inner;
    if (in_brackets(said, &inner)) { // decides, and nothing below is tried
        *equal = texts_equal(inner, right);
        return true;
    }
    if (in_brackets(right, &inner)) {
        *equal = texts_equal(inner, said);
        return true;
    }
    TRY(equal_without_quotes(said, right, equal));
    *equal = *equal || equal_numbers(said, right) || is_bracketed(said, right) || is_bracketed(right, said) ||
             (python_ends(said, "?") && texts_equal(without_end(said, 1), right));
    return true;
}

bool bbeh_equal(Text prediction, Text reference, bool *equal)
{
    Bytes lower = {0}, right = {0};
    bool ok = python_lower(&lower, python_strip(reference)) &&
              python_replace(&right, (Text){lower.data, lower.size}, ", ", ",");
    Text wanted = {right.data, right.size};
    *equal = ok && texts_equal(prediction, wanted);
    ok = ok && (*equal || nearly(prediction, wanted, equal));
    bytes_free(&lower);
    bytes_free(&right);
    return ok;
}
