// Which products a library makes (library.h; cuBLASLt is one) and which our own kernels: never by the bits, which are
// the same, so the choice may depend on time, on the card, and on what an earlier run found out.
//
//   1. Of the algorithms that the library offers for a shape the first that obeys: one ascending chain for each output,
//      which is what EXACTNESS asks. Whether one does is found out once for each algorithm at each kind of product
//      (form, result, whether it adds, and the two sizes that a weight has). In which order an algorithm adds follows
//      from itself and not from the number of rows; lab/bench/chain_check.cu looks at that assumption.
//   2. Where one obeys, it and our own kernel make the product some times in turns, and the faster one keeps the shape.
//
// Both are tried in matmul_trial.cu, and the answers written down (system/findings.h) for runs to come, by the machine
// and all versions. Nothing is tried while a graph is taken down: what is not known then is asked again later.
//
// Rows. Batches are ragged, and each number of tokens would be a shape of its own. So an answer is for a number of
// rows rounded up (a power of two up to 128, then a multiple of 128), and the library is asked for the rows that there
// are: each of them is a chain over k of its own, so nothing has to be added below them, and nothing is written there.
// A weight's gradient is another matter. Its chains run over the rows, and a kernel may take what is left over from its
// slab first: in another order for each remainder, where a check of all would be a check of 128 shapes. So the library
// gets whole multiples of 128 rows, those behind the last one being zeros in both operands (zero times an infinity
// would be NaN), which end a chain without changing it. The caller says how many rows it has memory for
// (Product.k_room); what lies there is cleared before each product (an estimated few microseconds), because nothing
// else keeps it clean: attention's gradients work in the same memory. Where there is no room (a last micro-batch that
// fills its memory to within 128 rows; the head's last chunk) the product is our own kernel's, which needs no zeros in
// memory. The CPU knows nothing of all this, and activations are planned as before.
#include "kernels/cuda/hopper.h"
#include "kernels/cuda/library.h"
#include "kernels/cuda/makers.h"
#include "system/findings.h"
#include <stdlib.h>
#include <string.h>

namespace PRECISION
{

static bool product_wish_is_known(void)
{
    const char *wanted = getenv("DEREASON_MATMUL");
    for (const char *known : {"auto", "own", "mma", "cublaslt"})
        if (wanted == NULL || strcmp(wanted, known) == 0)
            return true;
    return fail("DEREASON_MATMUL=%s: take auto, own, mma or cublaslt", wanted);
}

#if PRECISION_BITS == 16

// Findings are of this version of our products: raise it when one of them changes its bits, or much of its speed.
static const int PRODUCTS_VERSION = 1;

static struct {
    const ProductLibrary *library; // NULL: none
    bool unchecked;
    Findings findings;
    int shapes, theirs; // decided in this process
    Makers makers;
} now;

// ---- shapes, and what they are called in the file of findings

// Everything of a product but its arrays; rows rounded up. Whether it adds is part of what is compared.
typedef struct Shape {
    int64_t fact[9];
} Shape;

enum { ROWS_MULTIPLE = 128 };

static int64_t rounded_rows(int64_t rows)
{
    int64_t power = 1;
    while (power < rows && power < ROWS_MULTIPLE)
        power *= 2;
    return rows <= power ? power : ceil_divide(rows, ROWS_MULTIPLE) * ROWS_MULTIPLE;
}

static bool is_weight(const Product *p) { return p->form == MATMUL_BACKWARD_WEIGHT; }

static Shape shape_of(const Product *p)
{
    int64_t m = is_weight(p) ? p->m : rounded_rows(p->m);
    return Shape{{p->form, m, p->n, p->k, p->a_pitch, p->b_pitch, p->c_pitch, p->c_is_float, p->add}};
}

typedef struct FindingText {
    char text[FINDINGS_LINE];
} FindingText;

static const char *form_name(int64_t form)
{
    return form == MATMUL_FORWARD ? "forward" : form == MATMUL_BACKWARD_INPUT ? "backward_input" : "backward_weight";
}

static FindingText shape_text(const Shape *shape)
{
    FindingText t;
    const int64_t *f = shape->fact;
    snprintf(t.text, sizeof t.text, "%s %lld x %lld x %lld, pitches %lld %lld %lld, %s%s", form_name(f[0]),
             (long long)f[1], (long long)f[2], (long long)f[3], (long long)f[4], (long long)f[5], (long long)f[6],
             f[7] ? "fp32" : "bf16", f[8] ? ", adds" : "");
    return t;
}

// An algorithm at a kind of product, which says nothing of the number of rows
static FindingText algorithm_text(const Product *p, const Algorithm *algorithm)
{
    FindingText t;
    int at = snprintf(t.text, sizeof t.text, "%s of %lld x %lld, %s%s, algorithm", form_name(p->form),
                      (long long)(is_weight(p) ? p->m : p->k), (long long)p->n, p->c_is_float ? "fp32" : "bf16",
                      p->add ? ", adds" : "");
    for (uint64_t word : algorithm->words)
        at += snprintf(t.text + at, sizeof t.text - (size_t)at, " %llx", (unsigned long long)word);
    return t;
}

static const char OBEYS[] = "has our bits", DISOBEYS[] = "has other bits or fails", OURS[] = "ours",
                  THEIRS[] = "library";

static bool begins(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }

// What no file can hold is kept in memory by the choice that it led to.
static void find(const FindingText *what, const char *found)
{
    if (!findings_put(&now.findings, what->text, found))
        error_clear();
}

// ---- trials, where nothing is known yet (matmul_trial.cu)

// Memory cannot be taken while a graph is, nor a time.
static bool being_captured(Stream *s)
{
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    return cudaStreamIsCapturing(stream_of(s), &status) != cudaSuccess || status != cudaStreamCaptureStatusNone;
}

static bool obeys(Stream *s, const Product *p, const Algorithm *algorithm)
{
    FindingText what = algorithm_text(p, algorithm);
    const char *found = findings_of(&now.findings, what.text);
    if (found != NULL || being_captured(s))
        return found != NULL && strcmp(found, OBEYS) == 0;
    bool same;
    if (!library_obeys(s, now.library, p, algorithm, &same))
        return false; // no memory is left, and our own product needs none
    find(&what, same ? OBEYS : DISOBEYS);
    return same;
}

static bool find_algorithm(Stream *s, const Product *p, Algorithm *algorithm)
{
    enum { OFFERS = 16 };
    Algorithm offers[OFFERS];
    int count = now.library->offers(p, offers, OFFERS);
    for (int i = 0; i < count; i++)
        if (now.unchecked || obeys(s, p, &offers[i])) {
            *algorithm = offers[i];
            return true;
        }
    return false;
}

static bool library_is_faster(Stream *s, const Product *asked, const Product *p, const Algorithm *algorithm,
                              const FindingText *what)
{
    char text[120];
    double ours_seconds, library_seconds;
    if (!library_race(s, now.library, asked, p, algorithm, &ours_seconds, &library_seconds))
        return true; // as far as anybody knows
    bool theirs = library_seconds <= ours_seconds;
    snprintf(text, sizeof text, "%s (%s %.1f us, ours %.1f us)", theirs ? THEIRS : OURS, now.library->name,
             1e6 * library_seconds, 1e6 * ours_seconds);
    find(what, text);
    return theirs;
}

// ---- choices

typedef struct Choice {
    Shape shape;
    bool known, theirs;
    Algorithm algorithm;
} Choice;

enum { CHOICES = 4096 }; // a table by hash; a shape takes the place of an older one there

static Choice choices[CHOICES];

static void note(const Product *p, MadeBy by)
{
    Maker forward = {"matmul_forward", p->n, p->k, p->add, 0, 0, 0},
          input = {"matmul_backward_input", p->k, p->n, p->add, 0, 0, 0},
          weight = {"matmul_backward_weight", p->m, p->n, p->add, 0, 0, 0};
    makers_note(&now.makers, is_weight(p) ? &weight : p->form == MATMUL_FORWARD ? &forward : &input, by);
    now.shapes++;
    now.theirs += by == MADE_BY_LIBRARY;
}

// asked: without the rows of zeros that p has
static Choice choose(Stream *s, const Product *asked, const Product *p, const Shape &shape)
{
    FindingText what = shape_text(&shape);
    const char *found = now.unchecked ? THEIRS : findings_of(&now.findings, what.text);
    Choice c = {shape, !being_captured(s), false, {}};
    bool ours = found != NULL && begins(found, OURS), there = !ours && find_algorithm(s, p, &c.algorithm);
    bool told = found != NULL && begins(found, THEIRS);
    Product our_own = *asked; // with the rows that there are
    our_own.add = p->add;
    c.theirs = there && (told || !c.known || library_is_faster(s, &our_own, p, &c.algorithm, &what));
    if (c.known)
        note(p, c.theirs ? MADE_BY_LIBRARY : there || ours ? MADE_FASTER : MADE_AS_NONE_OBEYS);
    return c;
}

static Choice choice_of(Stream *s, const Product *asked, const Product *p)
{
    Shape shape = shape_of(p);
    Choice *kept = &choices[hash_bytes(&shape, sizeof shape) % CHOICES];
    if (kept->known && memcmp(&kept->shape, &shape, sizeof shape) == 0)
        return *kept;
    Choice c = choose(s, asked, p, shape);
    if (c.known)
        *kept = c;
    return c;
}

// A weight's chains end at a multiple of ROWS_MULTIPLE rows; false: there is no room for that.
static bool round_chains(Product *p)
{
    int64_t whole = ceil_divide(p->k, ROWS_MULTIPLE) * ROWS_MULTIPLE;
    if (!is_weight(p) || whole == p->k || now.unchecked)
        return true;
    p->k = whole;
    return whole <= p->k_room;
}

// Rows first .. first + rows - 1 of an operand, from its first column on to its last: what lies behind the last row's
// may be another array's, where the operand is columns of a wider one.
static void clear_rows(Stream *s, const void *operand, int64_t first, int64_t rows, int64_t columns, int64_t pitch)
{
    device_zero(s, (element *)operand + first * pitch, (size_t)((rows - 1) * pitch + columns) * sizeof(element));
}

static void clear_behind(Stream *s, const Product *asked, int64_t k)
{
    int64_t rows = k - asked->k;
    if (rows == 0)
        return;
    clear_rows(s, asked->a, asked->k, rows, asked->m, asked->a_pitch);
    clear_rows(s, asked->b, asked->k, rows, asked->n, asked->b_pitch);
}

// What was found out is written some time after the last of it, and not again and again in a run's first step.
static void write_down()
{
    if (now.findings.unsaved == 0 || findings_save(&now.findings, 2))
        return;
    fprintf(stderr, "note: what was found out about matrix products is not kept: %s\n", error_text());
    error_clear();
}

// p: asked with chains that end where the library's do, and a weight's gradient added
static Choice made_by(Stream *s, const Product *asked, Product *p)
{
    *p = *asked;
    p->add = asked->add || is_weight(asked);
    if (now.library == NULL || p->k <= 0 || !round_chains(p))
        return Choice{};
    Choice c = choice_of(s, asked, p);
    write_down();
    return c;
}

bool product_is_ours(Stream *s, const Product *asked)
{
    Product p;
    return !made_by(s, asked, &p).theirs;
}

bool product_library(Stream *s, const Product *asked)
{
    Product p;
    Choice c = made_by(s, asked, &p);
    if (!c.theirs)
        return false;
    clear_behind(s, asked, p.k);
    if (is_weight(asked) && !asked->add) // one kind of product to try, and never -0
        device_zero(s, p.c, (size_t)(p.m * p.c_pitch) * sizeof(float));
    return now.library->run(s, &p, &c.algorithm);
}

// ---- choosing a library

static const char *our_instruction()
{
#if HOPPER_KERNELS
    if (hopper_chosen("DEREASON_MATMUL"))
        return "wgmma";
#endif
    return "mma.sync";
}

static void open_findings(const ProductLibrary *library)
{
    char about[300] = "no card", *folder = NULL;
    int card = 0, driver = 0;
    cudaDeviceProp properties;
    cudaDriverGetVersion(&driver);
    if (cudaGetDevice(&card) == cudaSuccess && cudaGetDeviceProperties(&properties, card) == cudaSuccess)
        snprintf(about, sizeof about, "%.200s, compute capability %d.%d, driver for CUDA %d, %s %d, ours %d by %s",
                 properties.name, properties.major, properties.minor, driver, library->name, library->version,
                 PRODUCTS_VERSION, our_instruction());
    if (!cache_folder(&folder) || !findings_open(&now.findings, folder, "products", about))
        fprintf(stderr, "note: what earlier runs found out about matrix products is not used: %s\n", error_text());
    error_clear();
    free(folder);
}

void product_use(const ProductLibrary *library, bool unchecked)
{
    findings_close(&now.findings);
    now = {};
    memset(choices, 0, sizeof choices);
    now.library = library;
    now.unchecked = unchecked;
    if (library != NULL && !unchecked)
        open_findings(library);
}

bool product_choose(void)
{
    TRY(product_wish_is_known());
    const char *wanted = getenv("DEREASON_MATMUL");
    bool own = wanted != NULL && (strcmp(wanted, "own") == 0 || strcmp(wanted, "mma") == 0); // mma: hopper.h
    bool unchecked = wanted != NULL && strcmp(wanted, "cublaslt") == 0;
    const ProductLibrary *library = own ? NULL : cublaslt_open();
    if (library == NULL && unchecked)
        return fail_in("DEREASON_MATMUL=cublaslt");
    error_clear(); // without the library our own product carries on, and product_maker says so
    product_use(library, unchecked);
    return true;
}

const char *product_maker(void)
{
    static char text[128];
    if (now.library == NULL)
        return getenv("DEREASON_MATMUL") != NULL
                   ? "our own matrix products"
                   : "our own matrix products (without cuBLASLt, which dev/setup.sh --cuda fetches)";
    snprintf(text, sizeof text, "%s %d (%s)", now.library->name, now.library->version,
             now.unchecked ? "unchecked" : "where it gives the bits of our own product and is faster");
    if (now.shapes > 0 && !now.unchecked)
        snprintf(text, sizeof text, "%s %d for %d of %d shapes of products", now.library->name, now.library->version,
                 now.theirs, now.shapes);
    return text;
}

const char *product_own_shapes(void) { return makers_text(&now.makers); }

#else

bool product_library(Stream *, const Product *) { return false; }
bool product_is_ours(Stream *, const Product *) { return true; }
bool product_choose(void) { return product_wish_is_known(); }
const char *product_maker(void) { return "our own matrix products"; }
const char *product_own_shapes(void) { return ""; }

#endif

} // namespace PRECISION
