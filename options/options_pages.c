// Pages made of a table, for readers and for installation: Markdown for docs/options/, a manual page, and bash
// completion. --help=markdown, --help=man and --help=bash write them; `make docs` and `make install` run these.
#include "base/version.h"
#include "options/options_internal.h"
#include <ctype.h>
#include <string.h>

// ---- Markdown

static bool markdown_cell(Bytes *out, const char *text)
{
    for (; *text != 0; text++)
        TRY(*text == '|' ? bytes_text(out, "\\|") : *text == '\n' ? bytes_text(out, " ") : bytes_append(out, text, 1));
    return true;
}

bool options_markdown(const Options *options, Bytes *out)
{
    char name[OPTION_NAME];
    const char *group = "";
    TRY(bytes_text(out, "| option | default | meaning |\n|---|---|---|\n"));
    for (size_t i = 0; i < options->table.count; i++) {
        const OptionRow *row = option_by_group(&options->table, i);
        if (strcmp(group, row->group) != 0)
            TRY(bytes_printf(out, "| **%s** | | |\n", row->group));
        group = row->group;
        TRY(bytes_printf(out, "| `%s%s` | ", option_dashes(row), option_shown(name, row->name)));
        if (option_is_required(row))
            TRY(bytes_text(out, "required"));
        else if (row->initial[0] != 0)
            TRY(bytes_text(out, "`") && markdown_cell(out, row->initial) && bytes_text(out, "`"));
        TRY(bytes_text(out, " | ") && markdown_cell(out, row->help));
        if (row->range[0] != 0 && !option_is_required(row))
            TRY(bytes_text(out, ": `") && markdown_cell(out, row->range) && bytes_text(out, "`"));
        TRY(bytes_text(out, " |\n"));
    }
    return true;
}

// ---- a manual page

// Text as roff reads it: backslashes and hyphens escaped, and no line that begins like a request.
static bool roff(Bytes *out, const char *text, size_t size)
{
    bool line_begins = true;
    for (size_t i = 0; i < size; i++) {
        if (line_begins && (text[i] == '.' || text[i] == '\''))
            TRY(bytes_text(out, "\\&"));
        line_begins = text[i] == '\n';
        TRY(text[i] == '\\'  ? bytes_text(out, "\\e")
            : text[i] == '-' ? bytes_text(out, "\\-")
                             : bytes_append(out, &text[i], 1));
    }
    return true;
}

static bool roff_text(Bytes *out, const char *text) { return roff(out, text, strlen(text)); }

// The usage has "program: what it does", "usage: ..." with its continuations, and lines about all options.
static bool man_head(Bytes *out, const char *usage)
{
    const char *colon = strchr(usage, ':'), *line = strchr(usage, '\n') + 1, *name = usage;
    TRY(bytes_text(out, ".TH "));
    for (; name < colon; name++)
        TRY(bytes_printf(out, "%c", toupper((unsigned char)*name)));
    TRY(bytes_printf(out, " 1 \"\" \"dereason.c %s\" \"dereason.c\"\n.SH NAME\n", program_version()));
    TRY(roff(out, usage, (size_t)(colon - usage)) && bytes_text(out, " \\- ") &&
        roff(out, colon + 2, (size_t)(line - colon - 2)));
    TRY(bytes_text(out, ".SH SYNOPSIS\n.nf\n"));
    for (const char *end; *line != 0 && (*line == ' ' || strncmp(line, "usage: ", 7) == 0); line = end) {
        end = line + strcspn(line, "\n") + 1;
        TRY(roff(out, line + 7, (size_t)(end - line - 7)));
    }
    return bytes_text(out, ".fi\n.SH DESCRIPTION\n") && roff_text(out, line);
}

static bool man_row(Bytes *out, const OptionRow *row)
{
    char name[OPTION_NAME];
    Bytes text = {0};
    TRY(bytes_text(out, ".TP\n\\fB") && roff_text(out, option_dashes(row)) &&
        roff_text(out, option_shown(name, row->name)));
    TRY(bytes_printf(out, "\\fR%s\n", option_placeholder(row)));
    bool ok = option_describe(&text, row, true) && roff_text(out, text.data) && bytes_text(out, "\n");
    bytes_free(&text);
    return ok;
}

bool options_man(const Options *options, const char *usage, Bytes *out)
{
    const char *group = "";
    TRY(man_head(out, usage) && bytes_text(out, ".SH OPTIONS\n"));
    for (size_t i = 0; i < options->table.count; i++) {
        const OptionRow *row = option_by_group(&options->table, i);
        if (strcmp(group, row->group) != 0)
            TRY(bytes_printf(out, ".SS %s\n", row->group));
        group = row->group;
        TRY(man_row(out, row));
    }
    return true;
}

// ---- completion

// What may follow an option: a choice's names, folders; otherwise bash completes files.
static bool bash_values(Bytes *out, const OptionRow *row)
{
    char name[OPTION_NAME];
    if (row->type == OPTION_FOLDER)
        return bytes_printf(out, "    --%s) COMPREPLY=($(compgen -d -- \"$word\")); return ;;\n",
                            option_shown(name, row->name));
    if (row->type != OPTION_CHOICE)
        return true;
    TRY(bytes_printf(out, "    --%s) COMPREPLY=($(compgen -W \"", option_shown(name, row->name)));
    for (const char *p = row->range; *p != 0; p++)
        TRY(bytes_append(out, *p == '|' ? " " : p, 1));
    return bytes_text(out, "\" -- \"$word\")); return ;;\n");
}

bool options_bash(const Options *options, const char *usage, Bytes *out)
{
    char name[OPTION_NAME];
    int program = (int)strcspn(usage, ":");
    TRY(bytes_printf(out,
                     "_%.*s() {\n    local word=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD-1]}\n"
                     "    [ \"$word\" != = ] || word=\n" // --name=VALUE is three words to bash
                     "    [ \"$option\" != = ] || option=${COMP_WORDS[COMP_CWORD-2]}\n    case $option in\n",
                     program, usage));
    for (size_t i = 0; i < options->table.count; i++)
        TRY(bash_values(out, &options->table.rows[i]));
    TRY(bytes_text(
        out,
        "    esac\n    case $word in\n    -*) COMPREPLY=($(compgen -W \"--config --print-config --help --version"));
    for (size_t i = 0; i < options->table.count; i++) {
        const OptionRow *row = &options->table.rows[i];
        if (row->type != OPTION_ARGUMENTS)
            TRY(bytes_printf(out, " --%s", option_shown(name, row->name)));
        if (row->type == OPTION_FLAG)
            TRY(bytes_printf(out, " --no-%s", name));
    }
    return bytes_printf(out, "\" -- \"$word\")) ;;\n    esac\n}\ncomplete -o default -F _%.*s %.*s\n", program, usage,
                        program, usage);
}
