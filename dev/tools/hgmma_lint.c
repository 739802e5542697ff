// build/hgmma_lint [FILE...]: reads what cuobjdump -sass printed (without FILE: standard input), and says where a
// wgmma, in SASS an HGMMA, may meet registers that are not its own. Its accumulators, and its left operand where that
// is in registers, belong to it until a wait, and the hardware does not watch over them: an assembler that gives them
// away makes wrong numbers in silence, as ptxas 13.0.88 does (lab/NOTES.md, test/fixtures/sass/lost.cu).
//
// Two rules, over every path that a function can take:
//
//   1. Of one kind. The four registers of a left operand were written by one kind of instruction (LDSM, F2FP, ...),
//      accumulators that are read by HGMMA or by arithmetic in fp32. Zeros go with either. A copy, and a choice between
//      registers, are of the kind of what they copy. A write under a predicate leaves the kind that was there, too.
//   2. Left alone. From an HGMMA to the wait that covers it, nothing but another HGMMA reads or writes its
//      accumulators, and nothing writes its left operand. The HGMMA marked gsb0 closes a group; WARPGROUP.DEPBAR.LE
//      gsb0, N waits for all groups but the N youngest.
//
// Not seen: a register lost to another value of the same kind; a value lost before it was put there; shared memory. A
// call is taken to change no operand. A function with what is not understood here (jumps through registers) is refused.
#include "base/base.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { UNIFORM = 256, REGISTERS = UNIFORM + 64, OPERANDS = 8, NONE = -1 }; // UR4 is register UNIFORM + 4
enum { NOTHING, ZERO, PRODUCT, ARITHMETIC, FIRST_NAMED, KINDS = 64 };      // the others are instructions' names

typedef struct Instruction {
    unsigned address, target; // target: of a jump
    bool understood, predicated, jumps, goes_on;
    char name[40], operands[OPERANDS][48]; // of the operands only what is read; "-" for the others
    int count;                             // of operands
    int first, last;                       // registers that it writes (an HGMMA: its accumulators); first > last: none
    int kind;                              // of what it writes
    bool product;                          // an HGMMA:
    int left;                              // its left operand, NONE: in shared memory
    bool reads, perhaps;                   // its accumulators; depending on a predicate
    bool closes;                           // its group
    int pending;                           // of a wait: how many groups it leaves; else NONE
} Instruction;

// What may be true before an instruction. kinds: a bit for each. For a register that HGMMAs use, bits say in which
// group the last one may be: bit 0 the one that is not closed, bit n the n-th youngest of those that are.
typedef struct State {
    bool reached;
    uint64_t kinds[REGISTERS];
    uint8_t sums[REGISTERS], left[REGISTERS];
} State;

typedef struct Function {
    char name[256];
    Instruction *code;
    size_t count, capacity;
} Function;

static char kind_names[KINDS][16] = {"nothing", "zeros", "HGMMA", "fp32 arithmetic"}; // the others: of one function

static bool begins(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }

static bool begins_with_one(const char *text, const char *const *of)
{
    while (*of != NULL && !begins(text, *of))
        of++;
    return *of != NULL;
}

// ---- reading

// The register that an operand names ("-R5.reuse", "[R2.64+0x10]", "UR4"). Of a vector the first: vectors are aligned,
// so accumulators have all of one or nothing. Special registers (SR_TID) are not meant.
static int register_in(const char *operand)
{
    for (const char *c = strchr(operand, 'R'); c != NULL; c = strchr(c + 1, 'R')) {
        bool uniform = c > operand && c[-1] == 'U';
        if (isdigit((unsigned char)c[1]) && (c - uniform == operand || !isalnum((unsigned char)c[-1 - uniform])))
            return uniform ? UNIFORM + atoi(c + 1) % 64 : atoi(c + 1) % UNIFORM;
    }
    return NONE;
}

static int width(const char *name) // how many registers in a row are written
{
    static const char *const two[] = {"IMAD.WIDE", "DADD", "DMUL", "DFMA", NULL};
    if (begins(name, "LDSM")) // "LDSM.16.M88.4"
        return (int)larger(1, atoi(strrchr(name, '.') + 1));
    if (strstr(name, ".128") != NULL || begins(name, "HMMA"))
        return 4;
    bool wide = begins(name, "CS2R") && strstr(name, ".32") == NULL;
    return wide || strstr(name, ".64") != NULL || begins_with_one(name, two) ? 2 : 1;
}

static int kind_of(const Instruction *i)
{
    static const char *const arithmetic[] = {"FADD", "FMUL", "FFMA", NULL};
    const char *last = i->operands[i->count - 1];
    if ((begins(i->name, "CS2R") && strcmp(last, "SRZ") == 0) || (begins(i->name, "HFMA2") && strcmp(last, "0") == 0))
        return ZERO;
    if (begins_with_one(i->name, arithmetic))
        return ARITHMETIC;
    char name[sizeof *kind_names];
    int k = FIRST_NAMED;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(i->name, "."), i->name);
    while (k < KINDS - 1 && kind_names[k][0] != '\0' && strcmp(kind_names[k], name) != 0)
        k++;
    memcpy(kind_names[k], name, sizeof name);
    return k;
}

static void understand_result(Instruction *i)
{
    static const char *const without[] = {"BRA", "RET", "CALL", "BAR", "WARPSYNC", "NANOSLEEP", "R2P", "FCHK", NULL};
    bool predicate = i->operands[0][0] == 'P' || begins(i->operands[0], "UP"); // "SHFL.BFLY PT, R5, R6"
    char *result = i->operands[predicate];
    if ((result[0] != 'R' && result[0] != 'U') || register_in(result) == NONE || begins_with_one(i->name, without))
        return;
    i->first = register_in(result);
    i->last = i->first + width(i->name) - 1;
    i->kind = kind_of(i);
    strcpy(result, "-");
}

static bool understand_jump(Instruction *i)
{
    static const char *const jumps[] = {"BRA", "JMP", "CALL.REL", "WARPSYNC.COLLECTIVE", NULL};
    static const char *const ends[] = {"BRA", "JMP", "RET", "EXIT", NULL}, *const by_register[] = {"BRX", "JMX", NULL};
    i->jumps = begins_with_one(i->name, jumps);
    i->goes_on = i->predicated || !begins_with_one(i->name, ends) || (i->jumps && i->count > 1); // "BRA P0, 0x10"
    if (i->jumps)
        return i->count > 0 && sscanf(i->operands[i->count - 1], "0x%x", &i->target) == 1;
    return !begins_with_one(i->name, by_register);
}

// "HGMMA.64x128x16.F32.BF16 R88, R152, gdesc[UR16].tnspB, R88, gsb0"; without accumulators to add to: "RZ, !UPT"
static bool understand_product(Instruction *i)
{
    int columns = 0, tile = begins(i->operands[1], "gdesc") ? 1 : 2;
    char *sums = i->operands[tile + 1], *scale = i->operands[tile + 2];
    i->product = true;
    i->first = register_in(i->operands[0]);
    i->left = tile == 2 ? register_in(i->operands[1]) : NONE;
    i->reads = strcmp(sums, "RZ") != 0 && strcmp(scale, "!UPT") != 0;
    i->perhaps = begins(scale, "UP") || begins(scale, "!UP");
    i->closes = strcmp(i->operands[i->count - 1], "gsb0") == 0;
    bool right = sscanf(i->name, "HGMMA.64x%dx16.F32.", &columns) == 1 && begins(i->operands[tile], "gdesc") &&
                 i->first != NONE && (!i->reads || register_in(sums) == i->first) && !i->predicated;
    i->last = i->first + columns / 2 - 1;
    strcpy(i->operands[0], "-"); // its accumulators are not like what others read
    strcpy(sums, "-");
    return right && i->last < UNIFORM && i->left < UNIFORM - 3;
}

// text: "@!P0 IMAD.MOV.U32 R5, RZ, RZ, R6 "
static bool understand(Instruction *i, char *text)
{
    char *save = NULL, *word = strtok_r(text, " ", &save);
    i->predicated = word != NULL && word[0] == '@';
    word = i->predicated ? strtok_r(NULL, " ", &save) : word;
    snprintf(i->name, sizeof i->name, "%s", word != NULL ? word : "");
    while (i->count < OPERANDS && (word = strtok_r(NULL, ", ", &save)) != NULL)
        snprintf(i->operands[i->count++], sizeof *i->operands, "%s", word);
    i->last = i->left = i->pending = NONE;
    i->goes_on = true;
    if (strstr(i->name, "GMMA") != NULL)
        return i->count >= 3 && understand_product(i);
    if (begins(i->name, "WARPGROUP.DEPBAR"))
        return !i->predicated && sscanf(i->operands[1], "0x%x", (unsigned *)&i->pending) == 1 && i->pending >= 0;
    TRY(understand_jump(i));
    if (strstr(i->name, "SETP") == NULL)
        understand_result(i);
    return i->last < REGISTERS && i->kind < KINDS - 1;
}

// ---- what an instruction changes

static uint64_t kinds_written(const State *s, const Instruction *i)
{
    static const char *const choices[] = {"SEL", "FSEL", "USEL", NULL}, *const copies[] = {"MOV", "UMOV", "R2UR", NULL};
    bool choice = begins_with_one(i->name, choices), copy = begins_with_one(i->name, copies);
    if (begins(i->name, "IMAD")) // 0 · 0 + what is copied
        copy = i->count == 4 && strcmp(i->operands[1], "RZ") == 0 && strcmp(i->operands[2], "RZ") == 0;
    if (!choice && !copy)
        return 1ull << (i->product ? PRODUCT : i->kind);
    uint64_t kinds = 0;
    for (int k = choice ? 1 : i->count - 1; k < (choice ? 3 : i->count); k++) {
        int r = register_in(i->operands[k]);
        bool zero = strcmp(i->operands[k], "RZ") == 0 || strcmp(i->operands[k], "URZ") == 0;
        kinds |= r != NONE ? s->kinds[r] : 1ull << (zero ? ZERO : i->kind);
    }
    return kinds;
}

static void step(State *s, const Instruction *i)
{
    uint64_t kinds = kinds_written(s, i);
    for (int r = i->first; r <= i->last; r++) {
        s->kinds[r] = i->predicated ? s->kinds[r] | kinds : kinds;
        s->sums[r] = i->product;
    }
    for (int k = 0; i->left != NONE && k < 4; k++)
        s->left[i->left + k] = 1;
    for (int r = 0; r < REGISTERS; r++) {
        if (i->closes) { // seven and more is the last bit
            s->sums[r] = (uint8_t)(s->sums[r] << 1 | (s->sums[r] & 0x80));
            s->left[r] = (uint8_t)(s->left[r] << 1 | (s->left[r] & 0x80));
        }
        if (i->pending != NONE && i->pending < 7) {
            s->sums[r] &= (uint8_t)((2 << i->pending) - 1);
            s->left[r] &= (uint8_t)((2 << i->pending) - 1);
        }
    }
}

static bool join(State *to, const State *from)
{
    State old = *to;
    to->reached = true;
    for (int r = 0; r < REGISTERS; r++) {
        to->kinds[r] |= from->kinds[r];
        to->sums[r] |= from->sums[r];
        to->left[r] |= from->left[r];
    }
    return memcmp(&old, to, sizeof old) != 0;
}

// The states before each instruction: joined along all paths until nothing changes.
static bool follow(State *before, const Function *f)
{
    before[0].reached = true;
    for (int r = 0; r < REGISTERS; r++)
        before[0].kinds[r] = 1ull << NOTHING;
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t n = 0; n < f->count; n++) {
            const Instruction *i = &f->code[n];
            if (!before[n].reached)
                continue;
            State after = before[n];
            step(&after, i);
            if (i->goes_on && n + 1 < f->count)
                changed |= join(&before[n + 1], &after);
            size_t target = i->target / 16; // an instruction has 16 bytes
            if (i->jumps && (target >= f->count || f->code[target].address != i->target))
                return fail("%04x: jumps out of the function", i->address);
            if (i->jumps)
                changed |= join(&before[target], &after);
        }
    }
    return true;
}

// ---- the rules

static const char *names_of(uint64_t kinds)
{
    static char text[256];
    text[0] = '\0';
    for (int k = 0; k < KINDS; k++)
        if (kinds >> k & 1)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", text[0] ? ", " : "", kind_names[k]);
    return text;
}

static int complain(const Function *f, const Instruction *i, const char *what, int first, const char *by)
{
    printf("%s: %04x %s %s R%d: %s\n", f->name, i->address, i->name, what, first, by);
    return 1;
}

// Rule 1, of one HGMMA
static int faults_of_kind(const Function *f, const State *s, const Instruction *i)
{
    uint64_t left = 0, sums = 0, nothing = 1ull << NOTHING, zero = 1ull << ZERO;
    for (int k = 0; i->left != NONE && k < 4; k++)
        left |= s->kinds[i->left + k];
    for (int r = i->first; i->reads && r <= i->last; r++)
        sums |= s->kinds[r];
    uint64_t one = left & ~zero, right = zero | 1ull << PRODUCT | 1ull << ARITHMETIC | (i->perhaps ? nothing : 0);
    int faults = 0;
    if ((one & (one - 1)) != 0 || one == nothing)
        faults += complain(f, i, "takes as its left operand", i->left, names_of(left));
    if ((sums & ~right) != 0)
        faults += complain(f, i, "adds to", i->first, names_of(sums));
    return faults;
}

// Rule 2, of any instruction
static int faults_of_haste(const Function *f, const State *s, const Instruction *i)
{
    static const char sums[] = "an accumulator that is not waited for",
                      left[] = "a left operand that is not waited for";
    for (int r = i->first; r <= i->last; r++)
        if (s->left[r] || (s->sums[r] && !i->product))
            return complain(f, i, "writes", r, s->left[r] ? left : sums);
    for (int k = 0; k < i->count; k++) {
        int r = register_in(i->operands[k]);
        if (r != NONE && s->sums[r])
            return complain(f, i, "reads", r, sums);
    }
    return 0;
}

typedef struct Found {
    int functions, products, faults;
} Found;

// The function that has been read; forgets it.
static bool lint(Function *f, Found *found)
{
    int products = 0;
    const Instruction *strange = NULL;
    for (size_t n = 0; n < f->count; n++) {
        products += f->code[n].product;
        strange = f->code[n].understood ? strange : &f->code[n];
    }
    bool ok = products == 0 || strange == NULL || fail("%04x: %s is not understood", strange->address, strange->name);
    State *before = ok && products > 0 ? allocate(f->count, sizeof *before) : NULL;
    ok = ok && (products == 0 || (before != NULL && follow(before, f)));
    for (size_t n = 0; ok && before != NULL && n < f->count; n++) {
        const Instruction *i = &f->code[n];
        if (before[n].reached)
            found->faults += faults_of_haste(f, &before[n], i) + (i->product ? faults_of_kind(f, &before[n], i) : 0);
    }
    free(before);
    found->products += products;
    f->count = 0;
    memset(kind_names[FIRST_NAMED], 0, sizeof kind_names - FIRST_NAMED * sizeof *kind_names);
    return ok || fail_in("%s", f->name);
}

static bool lint_file(FILE *in, Found *found)
{
    Function f = {.name = ""};
    char *line = NULL, text[256];
    size_t size = 0;
    unsigned address;
    bool ok = true;
    while (ok && getline(&line, &size, in) >= 0) {
        if (sscanf(line, " Function : %255s", text) == 1) {
            ok = lint(&f, found);
            snprintf(f.name, sizeof f.name, "%s", text);
            found->functions++;
        } else if (sscanf(line, " /*%x*/ %255[^;]", &address, text) == 2) {
            ok = grow(&f.code, &f.capacity, f.count + 1, sizeof *f.code);
            if (ok) {
                Instruction *i = &f.code[f.count++];
                *i = (Instruction){.address = address};
                i->understood = understand(i, text);
            }
        }
    }
    ok = ok && lint(&f, found);
    free(f.code);
    free(line);
    return ok;
}

int main(int count, char **arguments)
{
    Found found = {0};
    bool ok = true;
    for (int n = 1; ok && (n < count || n == 1); n++) {
        FILE *in = n < count ? fopen(arguments[n], "r") : stdin;
        ok = in != NULL ? lint_file(in, &found) : fail_errno("%s", arguments[n]);
        if (in != NULL && in != stdin)
            fclose(in);
    }
    if (!ok || (found.functions == 0 && !fail("this is no SASS; read is what cuobjdump -sass prints"))) {
        fprintf(stderr, "hgmma_lint: %s\n", error_text());
        return 2;
    }
    printf("%d functions, %d HGMMA, %d faults\n", found.functions, found.products, found.faults);
    return found.faults > 0;
}
