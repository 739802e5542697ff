// Which products a library makes (kernels/cuda/matmul_library.cu): one that the tests make up offers algorithms that
// obey and others, fast ones and slow ones, and writes down what it is asked. Whatever it is, no bit may change, and
// nothing outside of a product may be touched. What cuBLASLt answers is a card's to say.
#ifndef PRECISION
#define PRECISION bf16
#define PRECISION_BITS 16
#endif
#include "kernels/cuda/library.h"
#include "test/cuda/call.h"
#include <cstring>
#include <dirent.h>
#include <map>
#include <tuple>
#include <unistd.h>

enum Kind { GOOD = 1, OTHER_ORDER, SLOW, FAST, REFUSES };

// ---- the library

static struct {
    std::vector<Kind> kinds; // what it offers, in this order
    int offers;              // how often it was asked for them
    std::vector<Product> made;
    std::vector<uint64_t> by; // the algorithm of each
    std::map<std::tuple<const void *, int64_t, int64_t>, Floats>
        remembered;     // by operand, rows and columns: what FAST gave
    const void *result; // where the test looks for a sum
} fake;

static int fake_offers(const Product *, Algorithm *list, int most)
{
    int count = 0;
    fake.offers++;
    for (Kind kind : fake.kinds)
        if (count < most)
            list[count++] = Algorithm{{(uint64_t)kind, 7, 0, 0, 0, 0, 0, ~0ull}};
    return count;
}

// Two chains, one for each half of k, instead of one
static void in_another_order(Stream *s, const Product *p)
{
    Product first = *p, second = *p;
    int64_t half = p->k / 32 * 16, size = settings.cuda->activation_size;
    bool a_outside = p->form == MATMUL_BACKWARD_WEIGHT, b_outside = p->form != MATMUL_FORWARD;
    first.k = half, second.k = p->k - half;
    second.a = (const char *)p->a + half * (a_outside ? p->a_pitch : 1) * size;
    second.b = (const char *)p->b + half * (b_outside ? p->b_pitch : 1) * size;
    second.add = true;
    bf16::product_own(s, &first);
    bf16::product_own(s, &second);
}

static void slowly(Stream *s, const Product *p)
{
    for (int i = 0; i < (p->add ? 0 : 6); i++)
        bf16::product_own(s, p);
    bf16::product_own(s, p);
}

// In no time where it may be: results are given again from memory, and what is added to is made only where the test
// looks for it. Corners of 128 columns, by which an algorithm is judged, are made like any.
static void fast(Stream *s, const Product *p)
{
    Floats &known = fake.remembered[std::make_tuple(p->a, p->m, p->n)];
    bool corner = p->c_pitch == 128;
    if (corner || (p->add && p->c == fake.result) || (!p->add && known.empty()))
        bf16::product_own(s, p);
    if (corner || p->add)
        return;
    if (known.empty()) {
        known.resize((size_t)(p->m * p->n));
        if (!settings.cuda->download_widened(s, known.data(), p->c, p->m * p->n))
            failed("download: %s", error_text());
    } else
        settings.cuda->upload_rounded(s, p->c, known.data(), p->m * p->n);
}

static bool fake_run(Stream *s, const Product *p, const Algorithm *algorithm)
{
    if (algorithm->words[0] == REFUSES)
        return false;
    fake.made.push_back(*p);
    fake.by.push_back(algorithm->words[0]);
    if (algorithm->words[0] == OTHER_ORDER)
        in_another_order(s, p);
    else if (algorithm->words[0] == SLOW)
        slowly(s, p);
    else if (algorithm->words[0] == FAST)
        fast(s, p);
    else
        bf16::product_own(s, p);
    return true;
}

static const ProductLibrary FAKE = {"a library of the tests", 1, fake_offers, fake_run};

// As a new process would find it; what it knows is in the folder `cache` ("off": nothing).
static void open_library(const std::vector<Kind> &kinds, const char *cache)
{
    setenv("DEREASON_CACHE", cache, 1);
    setenv("DEREASON_MATMUL", "mma", 1); // ours are those for any card, of which the library's are made
    fake = {};
    fake.kinds = kinds;
    bf16::product_use(&FAKE, false);
}

static void close_library()
{
    unsetenv("DEREASON_CACHE");
    unsetenv("DEREASON_MATMUL");
    fake = {};
    bf16::product_use(NULL, false);
}

static void forget_calls() { fake.offers = 0, fake.made.clear(), fake.by.clear(); }

// ---- products

static const int64_t N = 136, K = 72;

struct Operands {
    Matrix x, w, dy;
    Floats dw;
};

static Operands operands(int64_t T)
{
    return {random_matrix(T, K, 1), random_matrix(N, K, 2), random_matrix(T, N, 3), random_floats(N * K, 4)};
}

// Of dense rows, whatever their number: a row's pitch is part of a shape.
static Floats forward(const Operands &o)
{
    Memory m(settings.cuda);
    Tensor y = m.elements_out(o.x.rows, N);
    settings.cuda->matmul_forward(NULL, y, m.elements(o.x), m.elements(o.w), false);
    return m.read(y);
}

static Floats input(const Operands &o)
{
    Memory m(settings.cuda);
    Tensor dx = m.elements_out(o.x.rows, K);
    settings.cuda->matmul_backward_input(NULL, dx, m.elements(o.dy), m.elements(o.w), false);
    return m.read(dx);
}

static Floats weight(const Operands &o, bool add = true)
{
    Memory m(settings.cuda);
    float *dw = m.floats(o.dw);
    settings.cuda->matmul_backward_weight(NULL, dw, m.elements(o.dy), m.elements(o.x), o.x.rows, add);
    return m.read(dw, N * K);
}

static bool is_there()
{
    return settings.bf16 && simulated(); // fp32 has no library
}

static void must(bool what, const char *promise)
{
    if (!what)
        failed("%s (%zu products of the library, %d times asked for algorithms; own ones: %s)", promise,
               fake.made.size(), fake.offers, bf16::product_own_shapes());
}

static bool last_by(Kind kind) { return !fake.by.empty() && fake.by.back() == kind; }

static void algorithms_that_disobey_make_no_product()
{
    if (!is_there())
        return;
    Operands o = operands(256);
    close_library();
    std::vector<Floats> ours = {forward(o), input(o), weight(o)};
    Floats written = weight(o, false);
    open_library({REFUSES, OTHER_ORDER, FAST}, "off");
    check_same("forward by the third algorithm", forward(o), ours[0]);
    must(last_by(FAST), "the first algorithm that obeys is used");
    check_same("backward_input by the third algorithm", input(o), ours[1]);
    must(last_by(FAST), "the first algorithm that obeys is used, backward");
    open_library({REFUSES, OTHER_ORDER, GOOD}, "off");
    check_same("backward_weight", weight(o), ours[2]);
    check_same("backward_weight, written", weight(o, false), written);
    open_library({OTHER_ORDER}, "off");
    std::vector<Floats> none = {forward(o), input(o), weight(o)};
    for (size_t i = 0; i < ours.size(); i++)
        check_same("a product for which no algorithm obeys", none[i], ours[i]);
    must(fake.made.size() == 3, "one trial for each product, of what cancels");
    must(strcmp(bf16::product_own_shapes(), "matmul_forward 136 x 72; matmul_backward_input 136 x 72; "
                                            "matmul_backward_weight 136 x 72, adds") == 0,
         "products for which no algorithm obeys are named");
    close_library();
}

static void the_faster_one_makes_the_product()
{
    if (!is_there())
        return;
    Operands o = operands(200);
    close_library();
    Floats ours = forward(o);
    open_library({SLOW}, "off");
    check_same("forward beside a slow library", forward(o), ours);
    must(bf16::product_own_shapes() == std::string("matmul_forward 136 x 72, faster"), "ours is faster, and named");
    forget_calls();
    check_same("forward after a slow library", forward(o), ours);
    must(fake.made.empty() && fake.offers == 0, "what is slower is not asked again");
    open_library({FAST}, "off");
    check_same("forward by a fast library", forward(o), ours);
    must(last_by(FAST), "the faster one is the library");
    forget_calls();
    check_same("forward by a fast library again", forward(o), ours);
    must(fake.made.size() == 1 && fake.offers == 0, "what is known is not measured again");
    close_library();
}

// Tokens of a batch are any number: there is one answer for 128 of them, and the library is asked for those there are.
static void rows_meet_few_shapes_and_none_is_added()
{
    if (!is_there())
        return;
    open_library({FAST}, "off");
    for (int64_t T : {200, 129, 256, 131}) {
        Operands o = operands(T);
        Memory m(settings.cuda);
        Matrix behind = random_matrix(T + 8, N, 5);
        Tensor y = m.elements(behind), x = m.elements(o.x), w = m.elements(o.w);
        settings.cuda->matmul_forward(NULL, dense(y.data, T, N), x, w, false);
        Floats all = m.read(y), rows(all.begin(), all.begin() + (ptrdiff_t)(T * N)),
               rest(all.begin() + (ptrdiff_t)(T * N), all.end());
        must(fake.made.back().m == T, "the library is asked for the rows that there are");
        bf16::product_use(NULL, false);
        check_same(text("forward of %d rows", (int)T), rows, forward(o));
        bf16::product_use(&FAKE, false);
        check_same("rows behind the product", rest, Floats(behind.x.begin() + (ptrdiff_t)(T * N), behind.x.end()));
    }
    open_library({GOOD}, "off");
    for (int64_t T : {200, 129, 256, 131}) // 129 to 256 rows are one shape
        forward(operands(T));
    must(fake.offers <= 1, "129 to 256 rows are one shape");
    forward(operands(257));
    must(fake.offers <= 2, "257 rows are another");
    close_library();
}

// Rows of NaN behind the tokens: as far as there is room the library gets zeros there; without room they stay, and the
// product is ours. The bits are those of the tokens alone.
static void a_weights_chains_end_in_zeros_where_there_is_room()
{
    if (!is_there())
        return;
    const int64_t ALL = 264; // rows in memory
    for (int64_t T : {130, 255, 256})
        for (int64_t room : {(int64_t)256, T}) {
            close_library();
            Operands o = operands(T);
            Floats ours = weight(o);
            open_library({FAST}, "off");
            Memory m(settings.cuda);
            Matrix dy = {ALL, N, o.dy.x}, x = {ALL, K, o.x.x};
            dy.x.resize((size_t)(ALL * N), NAN);
            x.x.resize((size_t)(ALL * K), NAN);
            Tensor device_dy = m.elements(dy), device_x = m.elements(x);
            float *dw = m.floats(o.dw);
            fake.result = dw;
            settings.cuda->matmul_backward_weight(NULL, dw, dense(device_dy.data, T, N), dense(device_x.data, T, K),
                                                  room, true);
            check_same(text("backward_weight of %d rows with room for %d", (int)T, (int)room), m.read(dw, N * K), ours);
            must(room == 256 ? last_by(FAST) && fake.made.back().c == dw : fake.made.empty(),
                 "the library makes the product where there is room");
            for (const Product &p : fake.made)
                must(p.k % 128 == 0, "chains of the library are whole multiples of 128");
            for (Tensor operand : {device_dy, device_x}) {
                std::vector<uint16_t> after((size_t)(ALL * operand.columns));
                m.read(after.data(), operand.data, after.size() * 2);
                for (int64_t i = T * operand.columns; i < ALL * operand.columns; i++) {
                    bool is_nan = (after[(size_t)i] & 0x7fff) > 0x7f80, may_be_zero = i < room * operand.columns;
                    must(is_nan || (may_be_zero && after[(size_t)i] == 0), "nothing behind the room is touched");
                }
            }
        }
    close_library();
}

// As a gradient of keys lies beside those of queries and values: what is cleared below the tokens ends where the last
// of the columns does, and not a row's length further on, where another array may begin.
static void zeros_of_columns_of_a_wider_array_end_with_them()
{
    if (!is_there())
        return;
    const int64_t T = 130, ROOM = 256, BEFORE = 16;
    close_library();
    Operands o = operands(T);
    Floats ours = weight(o);
    open_library({FAST}, "off");
    Memory m(settings.cuda);
    Matrix dy = {ROOM + 1, BEFORE + N, Floats((size_t)((ROOM + 1) * (BEFORE + N)), NAN)}, x = {ROOM, K, o.x.x};
    x.x.resize((size_t)(ROOM * K), NAN);
    for (int64_t t = 0; t < T; t++)
        std::copy(o.dy.row(t), o.dy.row(t) + N, dy.x.begin() + t * dy.columns + BEFORE);
    Tensor wider = m.elements(dy), columns = columns_of(wider, BEFORE, BEFORE + N, sizeof(uint16_t));
    Tensor device_x = m.elements(x);
    float *dw = m.floats(o.dw);
    fake.result = dw;
    columns.rows = T;
    settings.cuda->matmul_backward_weight(NULL, dw, columns, dense(device_x.data, T, K), ROOM, true);
    check_same("backward_weight of columns", m.read(dw, N * K), ours);
    must(last_by(FAST), "the library makes the product");
    std::vector<uint16_t> behind((size_t)dy.columns);
    m.read(behind.data(), (const uint16_t *)wider.data + ROOM * dy.columns, behind.size() * 2);
    for (uint16_t bits : behind)
        must((bits & 0x7fff) > 0x7f80, "nothing behind the room is touched");
    close_library();
}

static void nothing_is_tried_while_a_graph_is_taken_down()
{
    if (!is_there() || settings.cuda->graph_begin == NULL)
        return;
    const int64_t T = 200;
    Operands o = operands(T);
    close_library();
    Floats ours = forward(o);
    for (bool known : {false, true}) {
        open_library({SLOW}, "off");
        if (known)
            forward(operands(300)); // its algorithm obeys; that it is slow at 200 rows nobody knows
        forget_calls();
        Memory m(settings.cuda);
        Tensor y = m.elements_out(T, N), x = m.elements(o.x), w = m.elements(o.w);
        if (!settings.cuda->graph_begin(NULL))
            failed("graph_begin: %s", error_text());
        settings.cuda->matmul_forward(NULL, y, x, w, false);
        Graph *graph = settings.cuda->graph_end(NULL);
        must(graph != NULL && fake.made.size() == (known ? 1 : 0),
             "only an algorithm that is known to obey is taken down");
        settings.cuda->graph_launch(NULL, graph);
        check_same("forward by a graph", m.read(y), ours);
        settings.cuda->graph_close(graph);
        forget_calls();
        check_same("forward behind the graph", forward(o), ours);
        must(fake.made.size() > 2, "what could not be found out is found out later");
    }
    close_library();
}

static std::string only_file_in(const std::string &folder)
{
    std::string name;
    DIR *entries = opendir(folder.c_str());
    for (struct dirent *e; entries != NULL && (e = readdir(entries)) != NULL;)
        name = e->d_name[0] == '.' ? name : name + e->d_name;
    if (entries != NULL)
        closedir(entries);
    return folder + "/" + name;
}

static std::string contents(const std::string &path)
{
    char buffer[4096];
    FILE *file = fopen(path.c_str(), "r");
    size_t size = file == NULL ? 0 : fread(buffer, 1, sizeof buffer, file);
    if (file != NULL)
        fclose(file);
    return std::string(buffer, size);
}

// What one process found out the next one knows.
static void what_was_found_out_is_kept_on_disk()
{
    if (!is_there())
        return;
    char name[] = "/tmp/test_library-XXXXXX";
    std::string folder = mkdtemp(name), path;
    Operands o = operands(200), few = operands(5);
    open_library({OTHER_ORDER, FAST}, folder.c_str());
    Floats ours = forward(o);
    usleep(2100 * 1000); // it is written when nothing new has come for two seconds
    check_same("forward again", forward(o), ours);
    path = only_file_in(folder);
    std::string kept = contents(path);
    for (const char *line :
         {"\nforward of 72 x 136, bf16, algorithm 2 7 0 0 0 0 0 ffffffffffffffff: has other bits or fails\n",
          "\nforward of 72 x 136, bf16, algorithm 4 7 0 0 0 0 0 ffffffffffffffff: has our bits\n",
          "\nforward 256 x 136 x 72, pitches 72 72 136, bf16: library (a library of the tests "})
        if (kept.find(line) == std::string::npos)
            failed("%s has no line%s%s", path.c_str(), line, kept.c_str());
    open_library({OTHER_ORDER, FAST}, folder.c_str());
    check_same("forward in the next process", forward(o), ours);
    must(fake.made.size() == 1 && fake.offers == 1, "the next process tries nothing");
    fake.kinds = {SLOW};
    forward(few); // other rows, and an algorithm that nobody knows
    must(fake.made.size() > 2, "what the file does not say is found out");
    FILE *file = fopen(path.c_str(), "r+"); // a line is changed: none is believed, and the run goes on
    must(file != NULL && fseek(file, (long)kept.find("library (a"), SEEK_SET) == 0 && fputs("ours   ", file) >= 0 &&
             fclose(file) == 0,
         "the file can be damaged");
    open_library({FAST}, folder.c_str());
    check_same("forward beside a damaged file", forward(o), ours);
    must(last_by(FAST) && fake.made.size() > 2, "a damaged file is not believed");
    remove(path.c_str());
    rmdir(folder.c_str());
    close_library();
}

extern const Tests library_tests;
const Tests library_tests = {
    {"library_algorithms_that_disobey_make_no_product", algorithms_that_disobey_make_no_product},
    {"library_and_ours_the_faster_one_makes_the_product", the_faster_one_makes_the_product},
    {"library_rows_meet_few_shapes_and_none_is_added", rows_meet_few_shapes_and_none_is_added},
    {"library_gets_zeros_at_the_end_of_a_weights_chains", a_weights_chains_end_in_zeros_where_there_is_room},
    {"library_clears_columns_of_a_wider_array_and_no_more", zeros_of_columns_of_a_wider_array_end_with_them},
    {"library_is_not_tried_while_a_graph_is_taken_down", nothing_is_tried_while_a_graph_is_taken_down},
    {"library_findings_are_kept_on_disk", what_was_found_out_is_kept_on_disk}};
