// Chemical formulas and reactions: equal in any notation, and told apart.
#include "test/support/check.h"
#include "answers/verify.h"
#include "answers/chemistry/chemical.h"
#include "base/philox.h"

static Text span(const char *text) { return (Text){text, strlen(text)}; }

static Chemical read_chemical(const char *text)
{
    Chemical c;
    if (!chemical_read(&c, span(text)))
        fail_msg("not chemistry: %s", text);
    return c;
}

static void expect(Verdict wanted, const char *a, const char *b)
{
    Chemical x = read_chemical(a), y = read_chemical(b);
    Verdict verdict = chemical_compare(&x, &y);
    if (verdict != wanted)
        fail_msg("%s and %s: %s instead of %s", a, b, VERDICT_NAMES[verdict], VERDICT_NAMES[wanted]);
    assert_int_equal(chemical_compare(&y, &x), verdict);
}

typedef struct Pair {
    const char *a, *b;
} Pair;

static void expect_all(Verdict wanted, const Pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        expect(wanted, pairs[i].a, pairs[i].b);
}

#define EXPECT_ALL(wanted, pairs) expect_all(wanted, pairs, sizeof(pairs) / sizeof *(pairs))

static void one_formula_is_written_in_many_ways(void **state)
{
    static const char *const rows[][12] = {
        {"H2O", "H_2O", "H₂O", "\\ce{H2O}", "\\mathrm{H_2O}", "\\text{H}_2\\text{O}", "H_{2}O",
         "\\text{H}_{2}\\text{O}"},
        {"C6H12O6", "C_6H_{12}O_6", "C₆H₁₂O₆", "\\ce{C6H12O6}", "C_{6}H_{12}O_{6}", "C_6 H_{12} O_6"},
        {"CH3COOH", "\\text{CH}_3\\text{COOH}", "CH_3COOH", "\\mathrm{CH_3COOH}", "CH3-COOH"},
        {"Ca(OH)2", "Ca(OH)_2", "\\text{Ca(OH)}_2", "Ca(OH)₂", "\\ce{Ca(OH)2}"},
        {"CuSO4·5H2O", "CuSO_4 \\cdot 5H_2O", "CuSO4*5H2O", "\\ce{CuSO4*5H2O}", "CuSO4.5H2O", "CuSO₄·5H₂O",
         "CuSO_4\\cdot 5 H_2O"},
        {"Fe^{2+}", "Fe2+", "Fe²⁺", "\\text{Fe}^{2+}", "Fe^2+", "\\ce{Fe^2+}", "\\mathrm{Fe}^{2+}", "Fe^{+2}"},
        {"Na^+", "Na+", "Na⁺", "\\text{Na}^+", "Na^{+}", "\\ce{Na+}", "Na^{1+}"},
        {"SO_4^{2-}", "SO4^2-", "SO42-", "SO₄²⁻", "\\text{SO}_4^{2-}", "\\ce{SO4^2-}", "SO_4^{--}"},
        {"[Cu(NH3)4]^{2+}", "[Cu(NH3)4]2+", "[\\text{Cu}(\\text{NH}_3)_4]^{2+}", "Cu(NH3)4^{2+}",
         "\\left[Cu(NH_3)_4\\right]^{2+}"},
        {"NH_4^+", "NH4+", "NH₄⁺", "\\ce{NH4+}", "\\text{NH}_4^+"},
        {"^{14}C", "{}^{14}C", "^{14}_{6}C", "¹⁴C", "_6^{14}C", "{}^{14}_{6}\\text{C}", "C-14", "^{14}\\mathrm{C}"},
        {"NaCl", "\\text{NaCl}", "\\ce{NaCl}", "NaCl(s)", "NaCl (aq)", "NaCl_{(s)}"},
        {"OH^-", "OH-", "OH⁻", "\\text{OH}^{-}"},
        {"e^-", "e⁻", "\\text{e}^-"},
        {"2H2 + O2 -> 2H2O", "O2 + 2H2 → 2H2O", "2H_2 + O_2 \\rightarrow 2H_2O", "\\ce{2H2 + O2 -> 2H2O}",
         "2H2+O2=2H2O", "2 H2 + O2 = 2 H2O", "2H_2(g) + O_2(g) \\to 2H_2O(l)", "2H2 + O2 --> 2H2O"},
        {"H2 + 1/2 O2 -> H2O", "H_2 + \\frac{1}{2}O_2 \\to H_2O", "½O₂ + H₂ ⟶ H₂O", "H2 + \\frac12 O2 -> H2O"},
        {"N2 + 3H2 <=> 2NH3", "N_2 + 3H_2 \\rightleftharpoons 2NH_3", "3H₂ + N₂ ⇌ 2NH₃"},
        {"Fe2+ + 2e- -> Fe", "Fe^{2+} + 2e^- \\rightarrow Fe"},
        {"Ag+ + Cl- -> AgCl", "Ag^+(aq) + Cl^-(aq) \\to AgCl(s)", "Cl^- + Ag^+ -> AgCl"},
        {"^{235}_{92}U + ^1_0n -> ^{236}_{92}U", "{}^{1}_{0}n + {}^{235}_{92}U \\to {}^{236}_{92}U",
         "^{1}n + ^{235}U → ^{236}U"},
        {"^{14}_6C \\to ^{14}_7N + ^0_{-1}e", "^{14}C -> ^{14}N + e^-"},
        {"CO2 + H2O", "H_2O + CO_2"},
        {"CO", "\\ce{CO}"},
        {"He", "\\ce{He}"},
        {"CH2=CH2", "CH_2=CH_2"},
        {"D2O", "\\ce{D2O}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int j = 0; j < 12 && rows[i][j] != NULL; j++) {
            Chemical c = read_chemical(rows[i][0]), d = read_chemical(rows[i][j]);
            if (c.certain || d.certain)
                expect(VERDICT_EQUAL, rows[i][0], rows[i][j]);
        }
    expect(VERDICT_EQUAL, "\\ce{CO}", "CO");
    expect(VERDICT_EQUAL, "Fe2+", "Fe_2^+"); // without marks either
}

static void other_atoms_and_charges_are_different(void **state)
{
    static const Pair pairs[] = {
        {"H2O", "H2O2"},
        {"\\ce{CO}", "\\ce{Co}"},
        {"NaCl", "KCl"},
        {"Fe^{2+}", "Fe^{3+}"},
        {"Fe^{2+}", "Fe_2^+"},
        {"SO_4^{2-}", "SO_3^{2-}"},
        {"NaCl", "NaBr"},
        {"Fe^{2+}", "\\ce{Fe}"},
        {"CuSO4·5H2O", "CuSO4"},
        {"CuSO4·5H2O", "CuSO4·3H2O"},
        {"Ca(OH)2", "CaOH"},
        {"^{14}C", "^{12}C"},
        {"C6H12O6", "C12H22O11"},
        {"CO2", "\\ce{CO}"},
        {"D2O", "H2O"},
        {"NH4+", "NH3"},
        {"NO_3^-", "NO_2^-"},
        {"2H2 + O2 -> 2H2O", "H2 + O2 -> H2O"},
        {"2H2 + O2 -> 2H2O", "2H2 + O2 -> H2O2"},
        {"Na+ + Cl- -> NaCl", "K+ + Cl- -> KCl"},
        {"e^-", "Na^+"},
        {"MnO4-", "MnO4^{2-}"},
    };
    EXPECT_ALL(VERDICT_DIFFERENT, pairs);
}

static void what_may_be_the_same_is_left_to_others(void **state)
{
    static const Pair pairs[] = {
        {"CH3COOH", "C2H4O2"},
        {"HOCl", "HClO"},
        {"2H2 + O2 -> 2H2O", "H2 + 1/2 O2 -> H2O"},
        {"2H2 + O2 -> 2H2O", "4H2 + 2O2 -> 4H2O"},
        {"2H2 + O2 -> 2H2O", "2H2O -> 2H2 + O2"},
        {"H2O(l)", "H2O(g)"},
        {"CO", "NO"},
        {"He", "I"},
        {"CO", "CO2"},
        {"NO", "\\ce{CO}"},
        {"2NaCl", "NaCl"},
        {"NaCl", "NaCl -> Na + Cl"},
        {"2H2 + O2 -> 2H2O", "2H2 + O2 -> H2O2 + H2"},
        {"^{14}C", "\\ce{C}"},
        {"CO", "CO"},
        {"B+", "B"},
        {"N_2", "H_2"},
        {"CH2=CH2", "CH2CH2"},
        {"P_1V_1 = P_2V_2", "P_2V_2 = P_1V_1"},
        {"V^{-1}", "V^{-2}"},
        {"H_2", "O_2"},
        {"C", "B"},
    };
    EXPECT_ALL(VERDICT_UNKNOWN, pairs);
}

static void what_cannot_be_chemistry_is_not_read(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "5",
        "x",
        "x+1",
        "2x",
        "A",
        "Xy",
        "water",
        "h2o",
        "H2o",
        "PV = nRT",
        "Fe(III)",
        "Fe(II)Cl2",
        "(C2H4)n",
        "H2O, CO2",
        "H2O and CO2",
        "H2O molecules",
        "sin(C)",
        "V^2",
        "N^2",
        "H_0",
        "H0",
        "C_n",
        "->",
        "H2 ->",
        "-> H2",
        "H2 + -> H2O",
        "+",
        "H2 +",
        "(H",
        "H)",
        "{H",
        "H}",
        "\\ce",
        "\\ce{",
        "\\ce{H2O",
        "\\frac{H}{O}",
        "^{5}U",
        "^{10}C_3",
        "{}^{10}C_{3}",
        "^{16}P_2",
        "_6C_2",
        "^{9}C_{1}",
        "^{14}_7C",
        "C-3",
        "H1000",
        "5 kg",
        "m/s",
        "I am",
        "AaBb",
        "Lhf",
        "\\alpha",
        "2e",
        "e",
        "n",
        "e^x",
        "e^2",
        "C++ +",
        "[Ne]3s^2",
        "1s2",
        "((((((H))))))",
        "C/H",
        "H2O -> H2 -> O2",
        "\\overline{BC}",
        "0H2",
        "1/0 H2",
        "π",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        Chemical c;
        if (chemical_read(&c, span(texts[i])))
            fail_msg("read as chemistry: %s (%s)", texts[i], c.terms[0].species[0].structure);
    }
}

static void only_texts_that_say_so_are_certain(void **state)
{
    static const char *const certain[] = {"NaCl", "H2O",  "CO2",     "\\ce{CO}", "Na+",  "Na^+",   "H^+",
                                          "OH-",  "CH4",  "KOH(aq)", "Cl_2",     "C6H6", "^{14}C", "2H2 + O2 -> 2H2O",
                                          "HCl",  "NaOH", "NH4+",    "SF6"};
    static const char *const uncertain[] = {"CO",  "NO",  "He",     "I",      "In",     "As",    "C",      "HI",
                                            "OH",  "KOH", "COS",    "B+",     "C-",     "O-",    "C-14",   "H_2",
                                            "N_2", "K",   "P_1V_1", "V^{-1}", "B^{-1}", "P = V", "C -> B", "PV",
                                            "2 C", "Pa",  "5 Pa",   "P_2V_2", "V_2C",   "F_1H_2"};
    for (size_t i = 0; i < sizeof certain / sizeof *certain; i++)
        if (!read_chemical(certain[i]).certain)
            fail_msg("not certain: %s", certain[i]);
    for (size_t i = 0; i < sizeof uncertain / sizeof *uncertain; i++)
        if (read_chemical(uncertain[i]).certain)
            fail_msg("certain: %s", uncertain[i]);
}

// A formula of random atoms: equal with marks and without; different when one index or one symbol is another.
static void random_formulas_agree_with_themselves_alone(void **state)
{
    static const char *const atoms[] = {"H", "C", "N", "O", "Na", "Cl", "Fe", "S", "Br", "Ca"};
    for (uint32_t i = 0; i < 3000; i++) {
        char plain[128] = "Zn", marked[128] = "\\text{Zn}", other[128] = "Zn";
        int parts = 1 + (int)(random_bits(9, RANDOM_ROUNDING, i, 0, 0).v[0] % 5);
        int changed = (int)(random_bits(9, RANDOM_ROUNDING, i, 0, 1).v[0] % (uint32_t)parts);
        for (int j = 0; j < parts; j++) {
            uint32_t draw = random_bits(9, RANDOM_ROUNDING, i, 1, (uint32_t)j).v[0];
            const char *atom = atoms[draw % 10];
            int count = 2 + (int)(draw / 16 % 20);
            sprintf(plain + strlen(plain), "%s%d", atom, count);
            sprintf(marked + strlen(marked), "\\mathrm{%s}_{%d}", atom, count);
            sprintf(other + strlen(other), "%s%d", atom, count + (j == changed));
        }
        expect(VERDICT_EQUAL, plain, marked);
        expect(VERDICT_DIFFERENT, marked, other);
    }
}

static void any_bytes_are_read_or_refused(void **state)
{
    static const char *const pieces[] = {"H",    "O",     "C",   "Na",      "2",    "3",  "+",     "-", " ",
                                         "(",    ")",     "[",   "]",       "_",    "^",  "{",     "}", "->",
                                         "=",    "\\ce{", "·",   "\\text{", "²",    "⁺",  "₂",     "e", "(s)",
                                         "_{2}", "^{2+}", "1/2", "\\frac{", "\xff", "\\", "^{14}", "#", "I"};
    enum { PIECES = sizeof pieces / sizeof *pieces };
    int read = 0;
    for (uint32_t i = 0; i < 60000; i++) {
        char text[256];
        size_t size = 0;
        int count = 1 + (int)(random_bits(6, RANDOM_ROUNDING, i, 0, 0).v[0] % 12);
        for (int j = 0; j < count; j++) {
            const char *piece = pieces[random_bits(6, RANDOM_ROUNDING, i, 1, (uint32_t)j).v[1] % PIECES];
            memcpy(text + size, piece, strlen(piece));
            size += strlen(piece);
        }
        char *exact = malloc(size); // so that the sanitizer sees a byte too many
        memcpy(exact, text, size);
        Chemical c;
        if (chemical_read(&c, (Text){exact, size})) {
            Verdict self = chemical_compare(&c, &c);
            assert_int_equal(self, c.certain ? VERDICT_EQUAL : VERDICT_UNKNOWN);
            read++;
        }
        free(exact);
    }
    assert_in_range(read, 100, 60000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_formula_is_written_in_many_ways),
        cmocka_unit_test(other_atoms_and_charges_are_different),
        cmocka_unit_test(what_may_be_the_same_is_left_to_others),
        cmocka_unit_test(what_cannot_be_chemistry_is_not_read),
        cmocka_unit_test(only_texts_that_say_so_are_certain),
        cmocka_unit_test(random_formulas_agree_with_themselves_alone),
        cmocka_unit_test(any_bytes_are_read_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
