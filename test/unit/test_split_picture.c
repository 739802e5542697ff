// The picture of a split: well-formed whatever the names hold, with every count that it should show, and nothing that
// is not there.
#include "log/visible.h"
#include "intake/split_picture.h"
#include "test/support/check.h"

static const char *const NAMES[] = {"unknown", "1", "2", "3", "4", "5"};

typedef struct Sketch { // what a picture is drawn of
    SplitCount levels[6], groups[40];
    int64_t levels_of_group[40][6];
    size_t group_count;
    int tau;
} Sketch;

static Sketch sketch(void)
{
    Sketch s = {.tau = 0};
    for (int level = 0; level < 6; level++)
        s.levels[level].name = NAMES[level];
    return s;
}

static void add_rows(Sketch *s, int level, enum SplitPart part, const char *group, int64_t rows)
{
    size_t g = 0;
    while (g < s->group_count && strcmp(s->groups[g].name, group) != 0)
        g++;
    s->group_count += g == s->group_count;
    s->groups[g].name = group;
    s->groups[g].part[part] += rows;
    s->levels[level].part[part] += rows;
    s->levels_of_group[g][level] += rows;
}

static Bytes picture(const Sketch *s)
{
    Bytes svg = {0};
    assert_ok(split_picture(&svg, "Difficulty by category", s->tau, s->levels, s->groups, s->group_count,
                            (const int64_t(*)[6])s->levels_of_group));
    return svg;
}

static void assert_has(const Bytes *svg, const char *text)
{
    if (strstr(svg->data, text) == NULL)
        fail_msg("'%s' is missing in:\n%s", text, svg->data);
}

static void assert_has_not(const Bytes *svg, const char *text)
{
    if (strstr(svg->data, text) != NULL)
        fail_msg("'%s' should not be in:\n%s", text, svg->data);
}

static size_t times(const Bytes *svg, const char *text)
{
    size_t count = 0;
    for (const char *p = svg->data; (p = strstr(p, text)) != NULL; p++)
        count++;
    return count;
}

// ---- a small reader of XML: elements that nest and close, attributes in quotes, the entities that are used here,
// legal characters

static const char *read_name(const char *p)
{
    return p + strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-");
}

static const char *read_attributes(const char *p)
{
    while (*p == ' ') {
        const char *name = p + 1, *after = read_name(name);
        assert_true(after > name && after[0] == '=' && after[1] == '\'');
        p = after + 2 + strcspn(after + 2, "'<");
        assert_true(*p++ == '\'');
    }
    return p;
}

static const char *read_tag(const char *p, const char *open[], size_t *depth)
{
    bool closes = p[1] == '/';
    const char *name = p + 1 + closes, *end = read_name(name);
    assert_true(end > name);
    if (closes) {
        size_t length = (size_t)(end - name);
        assert_true(*depth > 0 && *end == '>');
        assert_true(strncmp(open[--*depth], name, length) == 0 && read_name(open[*depth]) == open[*depth] + length);
        return end + 1;
    }
    end = read_attributes(end);
    if (end[0] == '/') {
        assert_true(end[1] == '>');
        return end + 2;
    }
    assert_true(*end == '>' && *depth < 8);
    open[(*depth)++] = name;
    return end + 1;
}

static void assert_well_formed(const Bytes *svg)
{
    const char *open[8];
    size_t depth = 0;
    assert_int_equal(utf8_valid_prefix(svg->data, svg->size), svg->size);
    assert_int_equal(strlen(svg->data), svg->size);
    assert_memory_equal(svg->data, "<svg ", 5);
    for (const char *p = svg->data; *p != 0;) {
        if (*p == '<') {
            p = read_tag(p, open, &depth);
            continue;
        }
        Character c = character_at(p, svg->size - (size_t)(p - svg->data));
        assert_true(*p == '\n' || !character_hidden(c.code));
        assert_true(*p != '&' || strncmp(p, "&lt;", 4) == 0 || strncmp(p, "&gt;", 4) == 0 ||
                    strncmp(p, "&amp;", 5) == 0);
        p += c.size;
        assert_true(depth > 0 || *p == 0); // nothing outside of the one element
    }
    assert_int_equal(depth, 0);
}

// ---- what it shows

static Sketch usual(void)
{
    Sketch s = sketch();
    s.tau = 3;
    add_rows(&s, 1, SPLIT_SFT, "Algebra", 564);
    add_rows(&s, 2, SPLIT_PROMPTS, "Algebra", 1348);
    add_rows(&s, 3, SPLIT_SFT, "Geometry", 1592);
    add_rows(&s, 4, SPLIT_RL, "Geometry", 1690);
    add_rows(&s, 5, SPLIT_RL, "Number Theory", 2304);
    return s;
}

static void counts_names_and_tau_are_there(void **state)
{
    static const char *const there[] = {">564<",
                                        ">1,348<",
                                        ">1,592<",
                                        ">1,690<",
                                        ">2,304<",
                                        ">7,498 rows<",
                                        ">1,912<",
                                        ">3,282<",
                                        ">Algebra<",
                                        ">Number Theory<",
                                        ">SFT<",
                                        ">RL<",
                                        ">τ = 3<",
                                        ">2,500<",
                                        ">2,000<",
                                        ">0<",
                                        ">SFT, for a teacher<",
                                        ">Difficulty by category<"};
    Sketch s = usual();
    Bytes svg = picture(&s);
    assert_well_formed(&svg);
    for (size_t i = 0; i < sizeof there / sizeof there[0]; i++)
        assert_has(&svg, there[i]);
    bytes_free(&svg);
}

static void what_no_row_became_is_not_in_the_legend(void **state)
{
    static const char *const not_there[] = {">dropped<", ">held out<", ">second SFT<", ">unknown<", "others<"};
    Sketch s = usual();
    Bytes svg = picture(&s);
    for (size_t i = 0; i < sizeof not_there / sizeof not_there[0]; i++)
        assert_has_not(&svg, not_there[i]);
    bytes_free(&svg);
}

static void without_tau_there_is_no_line(void **state)
{
    Sketch s = usual();
    s.tau = 0;
    Bytes svg = picture(&s);
    assert_has_not(&svg, "class='tau'");
    assert_has_not(&svg, "τ");
    bytes_free(&svg);
}

// Parts of one level lie on each other without a gap: 300 pixels for 1,000 rows.
static void the_parts_of_a_bar_add_up_to_it(void **state)
{
    Sketch s = sketch();
    add_rows(&s, 2, SPLIT_SFT, "all", 500);
    add_rows(&s, 2, SPLIT_RL, "all", 300);
    add_rows(&s, 2, SPLIT_DROPPED, "all", 200);
    Bytes svg = picture(&s);
    assert_has(&svg, "<rect class='p0' x='154.36' y='246.00' width='53.28' height='150.00'/>");
    assert_has(&svg, "<rect class='p2' x='154.36' y='156.00' width='53.28' height='90.00'/>");
    assert_has(&svg, "<rect class='p5' x='154.36' y='96.00' width='53.28' height='60.00'/>");
    assert_has(&svg, "<rect class='l2' x='660.00' y='96.00' width='200.00' "); // the one group, all of level 2
    bytes_free(&svg);
}

static void rows_of_unknown_difficulty_get_a_bar_when_there_are_any(void **state)
{
    Sketch s = sketch();
    add_rows(&s, 0, SPLIT_SFT, "all", 77);
    Bytes svg = picture(&s);
    assert_well_formed(&svg);
    assert_int_equal(times(&svg, ">unknown<"), 2); // under the bar, and beside the shade of the right panel
    assert_int_equal(times(&svg, ">77<"), 2);
    bytes_free(&svg);
}

static void nothing_at_all_is_a_picture_too(void **state)
{
    Sketch s = sketch();
    s.tau = 3;
    Bytes svg = picture(&s);
    assert_well_formed(&svg);
    assert_has(&svg, ">0 rows<");
    assert_has_not(&svg, "nan");
    assert_has_not(&svg, "inf");
    bytes_free(&svg);
}

static void small_groups_are_summed(void **state)
{
    static char names[40][24];
    Sketch s = sketch();
    for (int g = 0; g < 40; g++) {
        snprintf(names[g], sizeof names[g], "group %d", g);
        add_rows(&s, 1 + g % 5, SPLIT_SFT, names[g], 100);
    }
    Bytes svg = picture(&s);
    assert_well_formed(&svg);
    assert_has(&svg, ">group 11<");
    assert_has_not(&svg, ">group 12<");
    assert_has(&svg, ">28 others<");
    assert_has(&svg, ">2,800<");
    bytes_free(&svg);
}

static void millions_of_rows_have_short_ticks(void **state)
{
    Sketch s = sketch();
    add_rows(&s, 1, SPLIT_SFT, "web", 14700000);
    Bytes svg = picture(&s);
    assert_has(&svg, ">15 M<");
    assert_has(&svg, ">14,700,000<");
    bytes_free(&svg);
}

// ---- names that would like to act

static void names_are_only_text(void **state)
{
    Sketch s = sketch();
    add_rows(&s, 1, SPLIT_SFT, "</text><script>&\x1b\x01", 9);
    add_rows(&s, 1, SPLIT_SFT,
             "a\xE2\x80\xAE"
             "b\xEF\xBF\xBE"
             "c\xC2\x85",
             8);                               // right-to-left override, U+FFFE, U+0085
    add_rows(&s, 1, SPLIT_SFT, "\xFF\xC3", 7); // what the caller says will not happen
    Bytes svg = picture(&s);
    assert_well_formed(&svg);
    assert_has(&svg, ">&lt;/text&gt;&lt;script&gt;&amp;?\?<");
    assert_has(&svg, ">a?b?c?<");
    assert_has(&svg, ">?\?<");
    bytes_free(&svg);
}

static void long_names_are_cut_between_characters(void **state)
{
    Sketch s = sketch();
    add_rows(&s, 1, SPLIT_SFT, "abcdefghijklmnopqrstuvwx", 9); // as wide as may be
    add_rows(&s, 1, SPLIT_SFT, "abcdefghijklmnopqrstuvwxyz", 8);
    add_rows(&s, 1, SPLIT_SFT, "数学数学数学数学数学数学数学", 7);
    Bytes svg = picture(&s);
    assert_well_formed(&svg);
    assert_has(&svg, ">abcdefghijklmnopqrstuvwx<");
    assert_has(&svg, ">abcdefghijklmnopqrstuvw…<");
    assert_has(&svg, ">数学数学数学数学数学数…<");
    bytes_free(&svg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_names_and_tau_are_there),
        cmocka_unit_test(what_no_row_became_is_not_in_the_legend),
        cmocka_unit_test(without_tau_there_is_no_line),
        cmocka_unit_test(the_parts_of_a_bar_add_up_to_it),
        cmocka_unit_test(rows_of_unknown_difficulty_get_a_bar_when_there_are_any),
        cmocka_unit_test(nothing_at_all_is_a_picture_too),
        cmocka_unit_test(small_groups_are_summed),
        cmocka_unit_test(millions_of_rows_have_short_ticks),
        cmocka_unit_test(names_are_only_text),
        cmocka_unit_test(long_names_are_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
